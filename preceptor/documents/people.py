"""How HL7 standards write persons, dates, identifiers and kinds of note, made into what a record holds."""

from __future__ import annotations

import re
from collections.abc import Iterable

from preceptor.records import PatientRecord

# HL7 table 0203, identifier types, and the labels that the rest of Preceptor knows.
_IDENTIFIERS = {
    "MR": "mrn", "PI": "mrn", "MRN": "mrn", "PT": "mrn", "SS": "ssn", "SSN": "ssn", "AN": "account",
    "VN": "visit", "DL": "license", "PPN": "passport", "MB": "insurance", "MA": "insurance",
    "MC": "insurance", "NIIP": "insurance", "SN": "insurance", "DN": "license", "LN": "license",
    "MD": "license", "NPI": "license", "EI": "employee",
}  # fmt: skip
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
    """The first candidate that can be a kind of note, in lower case; else what the LOINC code means.

    Titles are typed by people ("Letter about Ms …"), and a note's type leaves the vault with its
    de-identified text: one with a digit or with a word of the patient's record is passed over.
    """
    people = (*patient.names, *patient.relatives, *patient.clinicians) if patient else ()
    known = {word for name in people for word in re.findall(r"\w{2,}", name.lower())}
    for candidate in candidates:
        words = " ".join((candidate or "").split())
        if (
            3 <= len(words) <= 60
            and not re.search(r"\d", words)
            and known.isdisjoint(re.findall(r"\w+", words.lower()))
        ):
            return words.lower()
    return _LOINC_NOTES.get(loinc or "")


def specialty(*candidates: str | None) -> str | None:
    """The specialty that a service, setting or department names, out of those Preceptor knows; else None."""
    for candidate in candidates:
        for name, pattern in _SPECIALTIES:
            if candidate and re.search(pattern, candidate.strip().lower()):
                return name
    return None
