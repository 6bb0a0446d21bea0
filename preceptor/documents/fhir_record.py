"""The resources of a FHIR file, found by reference, and what they say about one patient."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from preceptor.documents import people
from preceptor.records import PatientRecord

Resource = dict[str, Any]
_SSN = "http://hl7.org/fhir/sid/us-ssn"


class Resources:
    """All resources of a file, bundles unpacked, contained ones included; `find` follows a reference."""

    def __init__(self, top: list[Resource]) -> None:
        self.all: list[Resource] = []
        self._by_reference: dict[str, Resource] = {}
        for resource in top:
            self._add(resource, None)

    def _add(self, resource: Resource, url: str | None) -> None:
        if resource["resourceType"] == "Bundle":
            for entry in resource.get("entry") or []:
                if isinstance(entry.get("resource"), dict) and "resourceType" in entry["resource"]:
                    self._add(entry["resource"], entry.get("fullUrl"))
            return
        self.all.append(resource)
        if url:
            self._by_reference[url] = resource
        if resource.get("id"):
            self._by_reference[f"{resource['resourceType']}/{resource['id']}"] = resource
        contained = resource.get("contained") or []
        if contained:
            # `#p1` means another resource in every holder: give it a name that no other has.
            prefix = f"contained {len(self.all)} "
            _qualify(resource, prefix)
            for inner in contained:
                self.all.append(inner)
                self._by_reference[f"{prefix}#{inner.get('id')}"] = inner

    def find(self, reference: str | None) -> Resource | None:
        """The resource that a reference or URL names, if the file holds it."""
        if not reference:
            return None
        if "#" in reference:
            return self._by_reference.get(reference)
        # A server's full URL and its `Type/id` name the same thing.
        short = "/".join(reference.partition("/_history")[0].split("/")[-2:])
        return self._by_reference.get(reference) or self._by_reference.get(short)


def _qualify(value: Any, prefix: str) -> None:
    if isinstance(value, dict):
        if str(value.get("reference", "")).startswith("#"):
            value["reference"] = prefix + value["reference"]
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            _qualify(inner, prefix)


def refer(reference: Resource | None) -> str | None:
    """What a Reference points to, as written."""
    return (reference or {}).get("reference")


def coded(concept: Resource | None) -> list[Resource]:
    """The codings of a CodeableConcept."""
    return (concept or {}).get("coding") or []


def words(concept: Resource | None) -> list[str]:
    """The words of a CodeableConcept: its text, then what its codings display."""
    said = [(concept or {}).get("text"), *(c.get("display") for c in coded(concept))]
    return [w for w in said if w]


def patient_record(patient: Resource, document: Resource, resources: Resources) -> PatientRecord:
    """Return what the file says about a patient: Patient, RelatedPerson, and everybody the document names."""
    identifiers: dict[str, str] = {}
    for identifier in patient.get("identifier") or []:
        types = [people.identifier_label(c.get("code")) for c in coded(identifier.get("type"))]
        label = "ssn" if identifier.get("system") == _SSN else next(iter(types), "identifier")
        people.add_identifier(identifiers, label, identifier.get("value"))
    mine = [
        r for r in resources.all if r["resourceType"] == "RelatedPerson" and _is_of(r, patient, resources)
    ]
    relatives = [*mine, *(patient.get("contact") or [])]
    near = [patient, *relatives]
    points = [point for holder in near for point in holder.get("telecom") or [] if point.get("value")]
    return PatientRecord(
        patient_id=identifiers.get("mrn") or next(iter(identifiers.values()), "") or patient.get("id") or "",
        names=people.unique(_names(patient)),
        birth_date=people.iso_date(patient.get("birthDate")),
        sex={"male": "M", "female": "F"}.get(patient.get("gender") or "", patient.get("gender")),
        relatives=people.unique(name for relative in relatives for name in _names(relative)),
        clinicians=people.unique(_clinicians(patient, document, resources)),
        organisations=people.unique(_organisations(patient, document, resources)),
        phones=people.unique(
            p["value"] for p in points if p.get("system") in ("phone", "fax", "sms", "pager", None)
        ),
        emails=people.unique(p["value"] for p in points if p.get("system") == "email"),
        addresses=people.unique(_address(a) for holder in near for a in _list(holder.get("address"))),
        identifiers=identifiers,
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []


def _is_of(related: Resource, patient: Resource, resources: Resources) -> bool:
    return resources.find(refer(related.get("patient"))) is patient


def _names(person: Resource) -> Iterator[str]:
    for name in _list(person.get("name")):
        yield (
            " ".join([*(name.get("given") or []), name.get("family") or ""]).strip() or name.get("text") or ""
        )


def _address(address: Resource) -> str:
    region = " ".join(address[k] for k in ("state", "postalCode") if address.get(k))
    parts = [*(address.get("line") or []), address.get("city") or "", region]
    return ", ".join(part for part in parts if part) or address.get("text") or ""


def _clinicians(patient: Resource, document: Resource, resources: Resources) -> Iterator[str]:
    encounter = _encounter(document, resources)
    named = [
        *(document.get("author") or []), document.get("authenticator"), *(document.get("performer") or []),
        *(document.get("resultsInterpreter") or []), *(patient.get("generalPractitioner") or []),
        *(a.get("party") for a in document.get("attester") or []),
        *(p.get("individual") for p in encounter.get("participant") or []),
    ]  # fmt: skip
    for reference in named:
        found = resources.find(refer(reference))
        if found and found["resourceType"] == "PractitionerRole":
            reference = found.get("practitioner")
            found = resources.find(refer(reference))
        if found and found["resourceType"] == "Practitioner":
            yield from _names(found)
        elif not found and "Organization" not in (refer(reference) or ""):
            yield (reference or {}).get("display") or ""


def _organisations(patient: Resource, document: Resource, resources: Resources) -> Iterator[str]:
    encounter = _encounter(document, resources)
    either = [*(document.get("author") or []), *(document.get("performer") or [])]
    named = [
        document.get("custodian"), patient.get("managingOrganization"), encounter.get("serviceProvider"),
        *(place.get("location") for place in encounter.get("location") or []),
        *(one for one in either if "Organization" in (refer(one) or "")),
    ]  # fmt: skip
    for reference in named:
        found = resources.find(refer(reference)) or {}
        yield found.get("name") or (reference or {}).get("display") or ""


def _encounter(document: Resource, resources: Resources) -> Resource:
    visits = [*((document.get("context") or {}).get("encounter") or []), document.get("encounter")]
    return next((found for found in map(resources.find, map(refer, visits)) if found), {})
