"""A FHIR R4 Bundle: Patient, the people and the visit, the note as DocumentReference, its diagnoses as Conditions."""

from __future__ import annotations

import base64
import json
from typing import Any

from writers import html
from writers.facts import EXPORTED, Facts, Person, facts, stable_hash

_TABLE_0203 = "http://terminology.hl7.org/CodeSystem/v2-0203"
_CATEGORY = "http://terminology.hl7.org/CodeSystem/condition-category"


def write(note: dict[str, Any]) -> bytes:
    """Return a collection Bundle; the note is attached as plain text or as HTML."""
    known = facts(note)
    resources = [_patient(known), *_relatives(known)]
    if known.author:
        resources.append({"resourceType": "Practitioner", "id": "author", "name": [_name(known.author)]})
    if known.encounter:
        resources.append(_encounter(known))
    resources.append(_document(note, known))
    resources += [_condition(note, known, n, code) for n, code in enumerate(note.get("icd10", []), 1)]
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"fullUrl": f"https://ehr.example/fhir/{r['resourceType']}/{r['id']}", "resource": r}
            for r in resources
        ],
    }
    return (json.dumps(bundle, indent=1, ensure_ascii=False) + "\n").encode()


def _patient(known: Facts) -> dict[str, Any]:
    identifiers = [{"type": {"coding": [{"system": _TABLE_0203, "code": "MR"}]}, "value": known.mrn}]
    if known.ssn:
        identifiers.append({"system": "http://hl7.org/fhir/sid/us-ssn", "value": known.ssn})
    patient = {
        "resourceType": "Patient", "id": "patient", "identifier": identifiers, "name": [_name(known.patient)],
        "birthDate": known.born, "gender": {"F": "female", "M": "male"}.get(known.sex, "unknown"),
    }  # fmt: skip
    points = (("phone", known.phone), ("email", known.email))
    patient["telecom"] = [{"system": system, "value": value} for system, value in points if value]
    if known.address:
        keys = (("city", "city"), ("state", "state"), ("zip", "postalCode"))
        patient["address"] = [
            {
                "line": [known.address["street"]],
                **{key: known.address[k] for k, key in keys if k in known.address},
            }
        ]
    return {key: value for key, value in patient.items() if value}


def _relatives(known: Facts) -> list[dict[str, Any]]:
    return [
        {
            "resourceType": "RelatedPerson", "id": f"relative-{n}", "patient": {"reference": "Patient/patient"},
            "name": [_name(relative)],
        }
        for n, relative in enumerate(known.relatives, 1)
    ]  # fmt: skip


def _name(person: Person) -> dict[str, Any]:
    name = {
        "family": person.family,
        "given": list(person.given),
        "suffix": [person.suffix] if person.suffix else [],
    }
    return {key: value for key, value in name.items() if value}


def _encounter(known: Facts) -> dict[str, Any]:
    return {
        "resourceType": "Encounter", "id": "visit", "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "identifier": [{"value": known.encounter}], "subject": {"reference": "Patient/patient"},
    }  # fmt: skip


def _document(note: dict[str, Any], known: Facts) -> dict[str, Any]:
    as_html = stable_hash(note["note_id"], "fhir") % 3 == 0
    data = f"<html><body>{html.body(note['text'])}</body></html>" if as_html else note["text"]
    document: dict[str, Any] = {
        "resourceType": "DocumentReference",
        "id": "note",
        "status": "current",
        "type": {
            "coding": [{"system": "http://loinc.org", "code": known.loinc, "display": note["note_type"]}],
            "text": note["note_type"],
        },
        "subject": {"reference": "Patient/patient"},
        "content": [
            {
                "attachment": {
                    "contentType": f"text/{'html' if as_html else 'plain'}; charset=utf-8",
                    "data": base64.b64encode(data.encode()).decode(),
                    "creation": f"{EXPORTED[:4]}-{EXPORTED[4:6]}-{EXPORTED[6:8]}",
                }
            }
        ],
        "context": {"practiceSetting": {"text": note["specialty"]}},
    }
    if known.author:
        document["author"] = [{"reference": "Practitioner/author"}]
    if known.hospital:
        document["custodian"] = {"display": known.hospital}
    if known.encounter:
        document["context"]["encounter"] = [{"reference": "Encounter/visit"}]
    return document


def _condition(note: dict[str, Any], known: Facts, number: int, code: str) -> dict[str, Any]:
    condition: dict[str, Any] = {
        "resourceType": "Condition", "id": f"condition-{number}",
        "category": [{"coding": [{"system": _CATEGORY, "code": "encounter-diagnosis"}]}],
        "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": code}]},
        "subject": {"reference": "Patient/patient"},
    }  # fmt: skip
    if known.encounter:
        condition["encounter"] = {"reference": "Encounter/visit"}
    quotes = note.get("evidence", {}).get(code, [])
    if quotes:
        condition["evidence"] = [{"code": [{"text": quote} for quote in quotes]}]
    return condition
