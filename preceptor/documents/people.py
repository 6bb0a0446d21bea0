"""How HL7 standards write persons, dates, identifiers and kinds of note, made into what a record holds."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from preceptor.records import ParsedDocument, ParsedFile, PatientRecord

# HL7 table 0203, identifier types, and the labels that the rest of Preceptor knows.
_IDENTIFIERS = {
    "MR": "mrn", "PI": "mrn", "MRN": "mrn", "PT": "mrn", "SS": "ssn", "SSN": "ssn", "AN": "account",
    "VN": "visit", "DL": "license", "PPN": "passport", "MB": "insurance", "MA": "insurance",
    "MC": "insurance", "NIIP": "insurance", "SN": "insurance", "DN": "license", "LN": "license",
    "MD": "license", "NPI": "license", "DEA": "license", "EI": "employee", "XX": "organisation id",
}  # fmt: skip
# The same for the systems that say by themselves what a number is: OIDs of HL7's registry and URLs of FHIR R4.
_SYSTEMS = {
    "2.16.840.1.113883.4.1": "ssn", "http://hl7.org/fhir/sid/us-ssn": "ssn",
    "2.16.840.1.113883.4.6": "license", "http://hl7.org/fhir/sid/us-npi": "license",  # NPI
    "2.16.840.1.113883.4.814": "license",  # DEA
    "http://terminology.hl7.org/namingsystem/dea-number": "license",
    "2.16.840.1.113883.4.572": "insurance", "2.16.840.1.113883.4.927": "insurance",  # Medicare: HICN, MBI
    "http://hl7.org/fhir/sid/us-medicare": "insurance", "http://hl7.org/fhir/sid/us-mbi": "insurance",
    "2.16.840.1.113883.4.330": "passport",
}  # fmt: skip
_DRIVERS_LICENCES = "2.16.840.1.113883.4.3."  # one more arc for each state
# LOINC document types that C-CDA R2.1 and US Core name most; used where a code comes without its words.
_LOINC_NOTES = {
    "11488-4": "consult note", "11504-8": "operative report", "11506-3": "progress note",
    "18748-4": "radiology report", "18842-5": "discharge summary", "28570-0": "procedure note",
    "34117-2": "H&P", "34133-9": "continuity of care", "34111-5": "ED note", "57133-1": "referral letter",
    "11502-2": "lab report", "11526-1": "pathology report", "34748-4": "telephone encounter",
    "34746-8": "nursing note", "18745-0": "cath report", "42148-7": "echo report",
}  # fmt: skip
_SPECIALTIES = (
    ("cardiology", r"cardi|heart|electrophysiol|^car$"),
    ("orthopaedics", r"ortho|^ort$"),
    ("behavioural health", r"psych|behavio|mental|substance|^psy$"),
    ("general", r"general|internal med|family|primary care|^med$"),
)


def unique(values: Iterable[str | None]) -> tuple[str, ...]:
    """The values that are not blank, once each, in order, runs of white space as one space."""
    return tuple(dict.fromkeys(" ".join(v.split()) for v in values if v and v.strip()))


def iso_date(text: str | None) -> str | None:
    """An HL7 time stamp (`19560312`, `195603120830-0500`) or FHIR date as `YYYY-MM-DD`, `YYYY-MM` or `YYYY`.

    What is neither is returned as it stands: it may still be found in a note.
    """
    if not text or not text.strip():
        return None
    stamp = re.match(r"(\d{4})-?(?:(\d{2})-?(\d{2})?)?", text.strip())
    return "-".join(part for part in stamp.groups() if part) if stamp else text.strip()


def identifier_label(kind: str | None) -> str:
    """The record's label for an identifier type of HL7 table 0203; `identifier` for others."""
    return _IDENTIFIERS.get((kind or "").strip().upper(), "identifier")


def system_label(system: str | None) -> str | None:
    """The label for identifiers of a system (an OID, `urn:oid:…` or URL) that is one of a kind; None for others."""
    name = (system or "").strip().lower().removeprefix("urn:oid:")
    return "license" if name.startswith(_DRIVERS_LICENCES) else _SYSTEMS.get(name)


def address(streets: Iterable[str], city: str, county: str, state: str, zip_code: str) -> str:
    """An address on one line, `1 Elm St, Erie, PA 16504`; parts that are missing stay away."""
    parts = [*streets, city, county, " ".join(part for part in (state, zip_code) if part)]
    return ", ".join(part for part in parts if part)


def document_date(*candidates: str | None) -> str | None:
    """The first candidate that is a date, as `YYYY-MM-DD`, `YYYY-MM` or `YYYY`; None if there is none."""
    for candidate in candidates:
        found = iso_date(candidate) or ""
        parts = [int(part) for part in found.split("-")] if re.fullmatch(r"\d{4}(-\d\d){0,2}", found) else []
        try:
            if parts and date(*(parts + [1, 1])[:3]):
                return found
        except ValueError:
            continue
    return None


def absorb(document: ParsedDocument, inner: ParsedFile) -> ParsedDocument:
    """Return a document with what a file inside it says of its patient, and where it says nothing itself, the rest.

    The file inside may have a header of its own (a C-CDA in a FHIR attachment) that knows more than the one outside.
    """
    for other in inner.documents:
        record = document.patient
        if other.patient:
            record = record.merged(other.patient) if record else other.patient
        document = replace(
            document,
            patient=record,
            note_type=document.note_type or other.note_type,
            specialty=document.specialty or other.specialty,
            encounter=document.encounter or other.encounter,
            codes=document.codes or other.codes,
            date=document.date or other.date,
            author_role=document.author_role or other.author_role,
        )
    return document


def add_identifier(identifiers: dict[str, str], label: str, value: str | None) -> None:
    """Put a value under its label, or under `label (2)` and so on if another value is there."""
    value = (value or "").strip()
    if not value or value in identifiers.values():
        return
    key, count = label, 1
    while key in identifiers:
        count += 1
        key = f"{label} ({count})"
    identifiers[key] = value


def note_type(
    candidates: Iterable[str | None], loinc: str | None, patient: PatientRecord | None
) -> str | None:
    """The first candidate that can be a kind of note, in lower case; else what the LOINC code means."""
    return plain_words(candidates, patient, shortest=3) or _LOINC_NOTES.get(loinc or "")


def plain_words(
    candidates: Iterable[str | None], patient: PatientRecord | None, shortest: int = 2
) -> str | None:
    """The first candidate that can be a kind of note or of author, in lower case.

    Titles are typed by people ("Letter about Ms …"), and a note's type leaves the vault with its
    de-identified text: one with a digit or with a word of the patient's record is passed over.
    """
    people = (*patient.names, *patient.relatives, *patient.clinicians) if patient else ()
    known = {word for name in people for word in re.findall(r"\w{2,}", name.lower())}
    for candidate in candidates:
        words = " ".join((candidate or "").split())
        if (
            shortest <= len(words) <= 60
            and not re.search(r"\d", words)
            and known.isdisjoint(re.findall(r"\w+", words.lower()))
        ):
            return words.lower()
    return None


def specialty(*candidates: str | None) -> str | None:
    """The specialty that a service, setting or department names, out of those Preceptor knows; else None."""
    for candidate in candidates:
        for name, pattern in _SPECIALTIES:
            if candidate and re.search(pattern, candidate.strip().lower()):
                return name
    return None
