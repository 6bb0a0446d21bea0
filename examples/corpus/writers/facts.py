"""What the headers of structured formats say about a note: the patient, who wrote it, where, at which visit."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Any

# The headers want a time of export. One for all, so that the files are the same whenever they are built.
EXPORTED = "20260105120000"
_SUFFIX = re.compile(r"(Jr\.?|Sr\.?|II|III|IV)")
_ADDRESS = re.compile(r"(?P<street>.+), (?P<city>[^,]+), (?P<state>[A-Z]{2}) (?P<zip>\d{5})")
_LOINC = (
    ("discharge", "18842-5"), ("operative report", "11504-8"), ("radiology", "18748-4"), ("MRI", "18748-4"),
    ("pathology", "11526-1"), ("lab", "11502-2"), ("echo", "42148-7"), ("cath", "18745-0"), ("referral", "57133-1"),
    ("consult", "11488-4"), ("ED ", "34111-5"), ("H&P", "34117-2"), ("history and physical", "34117-2"),
    ("telephone", "34748-4"), ("nurs", "34746-8"),
)  # fmt: skip
_PROGRESS_NOTE = "11506-3"


@dataclass(frozen=True, slots=True)
class Person:
    """A name in parts."""

    given: tuple[str, ...]
    family: str
    suffix: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """A note's header. Empty strings stand for what the note's source does not say."""

    patient: Person
    born: str
    sex: str
    mrn: str
    ssn: str
    phone: str
    email: str
    address: dict[str, str]
    relatives: tuple[Person, ...]
    author: Person | None
    hospital: str
    encounter: str
    loinc: str


def facts(note: dict[str, Any]) -> Facts:
    """Return the header of a note; author and hospital are taken from its annotations, where they are written out."""
    patient = note.get("patient", {})
    address = patient.get("address", "")
    parts = _ADDRESS.fullmatch(address)
    doctors = [s["text"].replace("Dr. ", "") for s in note["spans"] if s["type"] == "DOCTOR"]
    doctors = [d for d in doctors if " " in d and not re.search(r"\d", d)]
    hospitals = [s["text"] for s in note["spans"] if s["type"] == "HOSPITAL"]
    return Facts(
        patient=person(patient["name"]),
        born=patient.get("dob", ""),
        sex=patient.get("sex", ""),
        mrn=patient.get("mrn", ""),
        ssn=patient.get("ssn", ""),
        phone=patient.get("phone", ""),
        email=patient.get("email", ""),
        address=parts.groupdict() if parts else {"street": address} if address else {},
        relatives=tuple(
            person(one["name"] if isinstance(one, dict) else one) for one in patient.get("relatives", [])
        ),
        author=person(max(doctors, key=len)) if doctors else None,
        hospital=hospitals[0] if hospitals else "",
        encounter=note.get("encounter", ""),
        loinc=next((code for word, code in _LOINC if word in note["note_type"]), _PROGRESS_NOTE),
    )


def person(name: str) -> Person:
    """Split a name as it is said or as it is filed (`LAST, FIRST`)."""
    if ", " in name:
        family, _, given = name.partition(", ")
        return Person(tuple(given.split()), family)
    words = name.split()
    suffix = words.pop() if len(words) > 2 and _SUFFIX.fullmatch(words[-1]) else ""
    return Person(tuple(words[:-1]), words[-1], suffix)


def stable_hash(text: str, salt: str = "") -> int:
    """A number that stays the same on every machine and in every run."""
    return int.from_bytes(hashlib.sha256(f"{salt}{text}".encode()).digest()[:8])


def paragraphs(text: str) -> list[list[str]]:
    """A note's lines, in groups that blank lines separate."""
    groups: list[list[str]] = [[]]
    for line in text.strip("\n").split("\n"):
        if line.strip():
            groups[-1].append(line.rstrip())
        elif groups[-1]:
            groups.append([])
    return [group for group in groups if group]
