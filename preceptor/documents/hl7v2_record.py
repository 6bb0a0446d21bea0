"""What the segments of an HL7 v2 message say about the patient and everybody around.

Source of the field numbers: HL7 v2.5.1, chapters 3 (PID, PD1, NK1, PV1, MRG), 4 (ORC, OBR), 6 (GT1, IN1, IN2, DG1),
7 (OBX), 9 (TXA), 12 (ROL); PRT and the telecom fields from v2.7. Data types: chapter 2A.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from preceptor.documents import people
from preceptor.documents.gathered import Gathered
from preceptor.documents.hl7v2_syntax import Message, Segment
from preceptor.records import PatientRecord

Fields = dict[str, dict[int, str]]
# Fields of names (XPN), and whose they are.
_PEOPLE: Fields = {
    "PID": {5: "patient", 6: "relative", 9: "patient"},
    "MRG": {7: "patient"},
    "NK1": dict.fromkeys((2, 26, 30), "relative"),
    "GT1": dict.fromkeys((3, 4, 42, 45), "relative") | {16: "organisation"},
    "IN1": {6: "organisation", 16: "relative"},
    "IN2": dict.fromkeys((7, 9, 40, 49, 52), "relative") | {22: "clinician"},
    "CTD": {2: "relative"},
}
# Fields of people with their numbers (XCN, PPN): identifier, family, given, middle, …
_CLINICIANS = {
    "PV1": (7, 8, 9, 17, 52), "PV2": (13,), "PD1": (4,), "ORC": (10, 11, 12, 19), "OBR": (10, 16, 28),
    "OBX": (16, 25), "TXA": (5, 9, 10, 11, 22, 23), "ROL": (4,), "PRT": (5,), "DG1": (16,), "PR1": (8, 11, 12),
    "EVN": (5,), "AIP": (3,), "SCH": (12, 16, 20), "FT1": (20, 21), "RXO": (14,), "RXE": (13,),
}  # fmt: skip
# OBR-32 to 35 (NDL): the person is one component, its parts are subcomponents.
_INTERPRETERS = (32, 33, 34, 35)
_ORGANISATIONS = {
    "PD1": (3, 14), "NK1": (13,), "GT1": (21, 51), "IN1": (4, 9, 11), "IN2": (69, 70), "PV2": (23,),
    "ORC": (21,), "OBX": (23,), "PRT": (8,), "MSH": (4,), "PV1": (39,),
}  # fmt: skip
_ADDRESSES = {
    "PID": (11,), "NK1": (4, 32), "GT1": (5, 17), "IN1": (5, 19, 44), "ORC": (22, 24), "OBX": (24,), "ROL": (11,),
    "PRT": (14,), "CTD": (3,),
}  # fmt: skip
_TELECOMS = {
    "PID": (13, 14, 40), "NK1": (5, 6, 31, 40), "GT1": (6, 7, 18, 46), "IN1": (7,), "IN2": (50, 53, 58, 63, 64),
    "ORC": (14, 23), "OBR": (17,), "ROL": (12,), "PRT": (15,), "CTD": (5,),
}  # fmt: skip
# Fields whose first component is a number (CX, EI, ST), and what it is unless its type says it.
_NUMBERS: Fields = {
    "PID": {18: "account", 19: "ssn", 20: "license", 21: "mother's identifier"},
    "MRG": {1: "mrn", 2: "mrn", 3: "account", 4: "mrn", 5: "visit", 6: "visit"},
    "PV1": {5: "visit", 19: "visit", 50: "visit"},
    "NK1": {12: "employee", 33: "relative", 37: "relative's ssn"},
    "GT1": {2: "account", 12: "relative's ssn", 19: "employee"},
    "IN1": {8: "insurance group", 10: "employee", 14: "insurance", 28: "insurance", 36: "insurance", 49: "insurance"},
    "IN2": {1: "employee", 2: "ssn", 6: "insurance", 8: "insurance", 10: "military id", 26: "insurance", 61: "insurance"},
    "ORC": {2: "order", 3: "order"},
    "OBR": {2: "order", 3: "order"},
    "OBX": {18: "device"},
    "PRT": {10: "device"},
    "TXA": {12: "document", 13: "document", 14: "order", 15: "order"},
}  # fmt: skip
_PATIENT_NUMBERS = (3, 2, 4)  # of PID, the current field first
_AUTHORS = {"TXA": (9, 5), "OBR": _INTERPRETERS}
_PV1_ROLES = {7: "attending", 8: "referring", 9: "consulting", 17: "admitting"}


def patient_record(message: Message) -> PatientRecord | None:
    """Return the patient of a message, and all who are near, cared, ordered, paid or signed; None without PID."""
    pid = next(iter(message.all("PID")), None)
    if pid is None:
        return None
    gathered = Gathered()
    for number in _PATIENT_NUMBERS:
        for one in pid.repeats(number):
            gathered.add_identifier(_patient_label(one, gathered), one[0])
    gathered.settle_patient_id()
    gathered.birth_date = people.iso_date(pid.part(7, 1))
    gathered.sex = pid.part(8, 1) or None
    gathered.add_birthplace(pid.text(23))
    for segment in message.segments:
        _add(gathered, segment)
    return gathered.record()


def encounter(message: Message) -> str | None:
    """The visit number (PV1-19)."""
    return next((s.part(19, 1) for s in message.all("PV1") if s.part(19, 1)), None)


def icd10(message: Message) -> list[str]:
    """The ICD-10-CM codes of the message's DG1 segments (coding system I10 or I10C)."""
    coded = [s.repeats(3)[0] for s in message.all("DG1") if s.repeats(3)]
    return list(
        dict.fromkeys(c[0] for c in coded if c[0] and len(c) > 2 and c[2].upper() in ("I10", "I10C", "ICD10"))
    )


def author_roles(message: Message) -> Iterator[str]:
    """What the author (TXA-9, TXA-5, OBR-32) is called: the part taken in the visit (PV1), a role (ROL-3), a degree."""
    authors = [name for s in message.segments for n in _AUTHORS.get(s.name, ()) for name in _authors(s, n)]
    for name, degree in authors[:1]:
        for visit in message.all("PV1"):
            yield from (role for number, role in _PV1_ROLES.items() if name in _clinicians(visit, number))
        for role in message.all("ROL"):
            yield from (role.part(3, c) for c in (2, 1) if name in _clinicians(role, 4))
        yield degree


def _authors(segment: Segment, number: int) -> Iterator[tuple[str, str]]:
    if segment.name == "OBR":
        people_ = [one[0] for one in segment.structured(number)]
    else:
        people_ = segment.repeats(number)
    for one in people_:
        if name := _xcn(one):
            yield name, (*one, *[""] * 7)[6]


def _patient_label(one: list[str], gathered: Gathered) -> str:
    """The label of an identifier of PID: by its type (CX-5); alone, or of no known type, it is the record's number."""
    if len(one) < 4:
        return "mrn"
    # Older senders leave out the type and put it where the assigning authority stands.
    label = people.identifier_label((one[4] if len(one) > 4 else "") or one[3])
    return "mrn" if label == "identifier" and "mrn" not in gathered.identifiers else label


def _add(gathered: Gathered, segment: Segment) -> None:
    name = segment.name
    for number, role in _PEOPLE.get(name, {}).items():
        gathered.add_people(role, _names(segment, number))
    for number in _CLINICIANS.get(name, ()):
        gathered.clinicians += _clinicians(segment, number)
        for one in segment.repeats(number):
            _add_licence(gathered, one, kind=12)
    for number in _INTERPRETERS if name == "OBR" else ():
        gathered.clinicians += (name for name, _ in _authors(segment, number))
        for person in segment.structured(number):
            _add_licence(gathered, person[0], kind=99)
    for number in _ORGANISATIONS.get(name, ()):
        gathered.organisations += (one[0] for one in segment.repeats(number))
    if name == "PV1":  # PL: the facility is a component of the place
        gathered.organisations += (
            place[3][0] for n in (3, 6) for place in segment.structured(n) if len(place) > 3
        )
    for number in _ADDRESSES.get(name, ()):
        gathered.addresses += map(_address, segment.structured(number))
    for number in _TELECOMS.get(name, ()):
        for one in segment.repeats(number):
            _add_telecom(gathered, one)
    for number, label in _NUMBERS.get(name, {}).items():
        for one in segment.repeats(number):
            gathered.add_identifier(_label(one, label), one[0])
    if name.startswith("Z"):
        _add_local(gathered, segment)


def _label(one: list[str], default: str) -> str:
    known = people.identifier_label(one[4] if len(one) > 4 else "")
    return default if known == "identifier" else known


def _add_licence(gathered: Gathered, one: list[str], kind: int) -> None:
    """The number of a clinician (XCN-1, typed by XCN-13; CNN-1)."""
    known = people.identifier_label(one[kind] if len(one) > kind else "")
    gathered.add_identifier("license" if known == "identifier" else known, one[0])


def _add_local(gathered: Gathered, segment: Segment) -> None:
    """Keep what a Z segment, which every site defines for itself, has with a digit or an address in it.

    Times fall away: as identifiers they would hide every date of the text that is written like them.
    """
    for number in range(1, len(segment.fields)):
        for one in segment.repeats(number):
            for part in one:
                if "@" in part:
                    gathered.add_telecom(part)
                elif sum(c.isdigit() for c in part) >= 4 and not _is_time(part):
                    gathered.add_identifier(f"{segment.name}-{number}", part)


def _is_time(part: str) -> bool:
    stamp = re.fullmatch(r"\d{8}(\d{4}(\d\d)?)?(\.\d+)?([+-]\d{4})?", part)
    return stamp is not None and people.document_date(part) is not None


def _names(segment: Segment, number: int) -> Iterator[str]:
    """The names of an XPN field, given names before the family's; a spouse's or own surname (FN) once more."""
    for one in segment.structured(number):
        families, given, middle = (*one, [""], [""], [""])[:3]
        before = [part for part in (given[0], middle[0]) if part]
        whole = [part for part in families[:1] if part]
        yield " ".join([*before, *whole])
        for other in (families[2:3], families[4:5]):
            if other and other[0] and other[0] not in " ".join(whole):
                yield " ".join([*before, *other])


def _clinicians(segment: Segment, number: int) -> list[str]:
    return [name for one in segment.repeats(number) if (name := _xcn(one))]


def _xcn(one: list[str]) -> str:
    family, given, middle = (*one, "", "", "", "")[1:4]
    return " ".join(part for part in (given, middle, family) if part)


def _address(one: list[list[str]]) -> str:
    """An XAD; its street may be whole, or only as its subcomponents name and number (SAD)."""
    street, other, city, state, zip_code = ([*one, *[[""]] * 5])[:5]
    county = one[8][0] if len(one) > 8 else ""
    first = street[0] or " ".join(part for part in (*street[2:3], *street[1:2]) if part)
    return people.address((first, other[0]), city[0], county, state[0], zip_code[0])


def _add_telecom(gathered: Gathered, one: list[str]) -> None:
    """An XTN: a number as written (1), or in parts (6 area, 7 local) or unformatted (12); an e-mail address (4)."""
    padded = [*one, *[""] * 12]
    written, email, area, local, unformatted = (padded[n] for n in (0, 3, 5, 6, 11))
    parts = " ".join(part for part in (area, local) if part)
    number = written if written and "@" not in written else parts or unformatted
    for value in (number, email, written if "@" in written else ""):
        if value:
            gathered.add_telecom(value)
