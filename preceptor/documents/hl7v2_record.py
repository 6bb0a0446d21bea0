"""What the segments of an HL7 v2 message say about the patient."""

from __future__ import annotations

from collections.abc import Iterator

from preceptor.documents import people
from preceptor.documents.hl7v2_syntax import Message, Segment
from preceptor.records import PatientRecord

# Segment -> fields of type XCN: identifier, family, given, middle, …
_CLINICIAN_FIELDS = {
    "PV1": (7, 8, 9, 17, 52), "PD1": (4,), "ORC": (10, 11, 12), "OBR": (10, 16, 28), "OBX": (16,),
    "TXA": (5, 9, 10, 11, 22, 23), "ROL": (4,), "DG1": (16,),
}  # fmt: skip


def patient_record(message: Message) -> PatientRecord | None:
    """Return the patient of a message, from PID, NK1, GT1, IN1 and all who cared, ordered or signed."""
    pid = next(iter(message.all("PID")), None)
    if pid is None:
        return None
    identifiers = _identifiers(pid, message)
    # Segment, its field of addresses, its fields of phones.
    near: list[tuple[Segment, int, tuple[int, ...]]] = [(pid, 11, (13, 14))]
    near += [(segment, 4, (5, 6)) for segment in message.all("NK1")]
    near += [(segment, 5, (6, 7)) for segment in message.all("GT1")]
    near += [(segment, 19, ()) for segment in message.all("IN1")]
    return PatientRecord(
        patient_id=identifiers.get("mrn") or next(iter(identifiers.values()), ""),
        names=people.unique([*_names(pid, 5), *_names(pid, 9)]),
        birth_date=people.iso_date(pid.part(7, 1)),
        sex=pid.text(8) or None,
        relatives=people.unique(_relatives(message, pid)),
        clinicians=people.unique(_clinicians(message)),
        organisations=people.unique(_organisations(message)),
        phones=people.unique(p for s, _, fields in near for number in fields for p in _phones(s, number)),
        emails=people.unique(
            part for s, _, fields in near for n in fields for r in s.repeats(n) for part in r if "@" in part
        ),
        addresses=people.unique(a for segment, number, _ in near for a in _addresses(segment, number)),
        identifiers=identifiers,
    )


def encounter(message: Message) -> str | None:
    """The visit number (PV1-19)."""
    return next((s.part(19, 1) for s in message.all("PV1") if s.part(19, 1)), None)


def icd10(message: Message) -> list[str]:
    """The ICD-10-CM codes of the message's DG1 segments (coding system I10 or I10C)."""
    coded = [s.repeats(3)[0] for s in message.all("DG1") if s.repeats(3)]
    return list(
        dict.fromkeys(c[0] for c in coded if c[0] and len(c) > 2 and c[2].upper() in ("I10", "I10C", "ICD10"))
    )


def _identifiers(pid: Segment, message: Message) -> dict[str, str]:
    found: dict[str, str] = {}
    for number in (3, 2, 4):
        for one in pid.repeats(number):
            kind = one[4] if len(one) > 4 else ""
            # Older senders leave out the type and put it where the assigning authority stands.
            label = (
                people.identifier_label(kind or (one[3] if len(one) > 3 else "")) if len(one) > 3 else "mrn"
            )
            people.add_identifier(
                found, "mrn" if label == "identifier" and "mrn" not in found else label, one[0]
            )
    people.add_identifier(found, "account", pid.part(18, 1))
    people.add_identifier(found, "ssn", pid.text(19))
    people.add_identifier(found, "license", pid.part(20, 1))
    people.add_identifier(found, "mother's identifier", pid.part(21, 1))
    people.add_identifier(found, "birthplace", pid.text(23))
    for insurance in message.all("IN1"):
        people.add_identifier(found, "insurance", insurance.text(36))
        people.add_identifier(found, "insurance", insurance.part(49, 1))
    return found


def _names(segment: Segment, number: int) -> Iterator[str]:
    """The names of an XPN field: given names before the family's."""
    for one in segment.repeats(number):
        family, given, middle = (*one, "", "", "")[:3]
        yield " ".join(part for part in (given, middle, family) if part)


def _relatives(message: Message, pid: Segment) -> Iterator[str]:
    yield from _names(pid, 6)
    for segment in message.all("NK1"):
        yield from _names(segment, 2)
    for segment in message.all("GT1"):
        yield from _names(segment, 3)
    for segment in message.all("IN1"):
        yield from _names(segment, 16)


def _clinicians(message: Message) -> Iterator[str]:
    for segment in message.segments:
        for number in _CLINICIAN_FIELDS.get(segment.name, ()):
            for one in segment.repeats(number):
                family, given, middle = (*one, "", "", "", "")[1:4]
                yield " ".join(part for part in (given, middle, family) if part)
        for number in (
            (32, 33, 34, 35) if segment.name == "OBR" else ()
        ):  # CNDL: the name is a subcomponent list
            for raw in segment.raw(number).split(segment.delimiters.repetition):
                person = raw.split(segment.delimiters.component)[0].split(segment.delimiters.subcomponent)
                yield " ".join(part for part in (*person[2:4], *person[1:2]) if part)


def _organisations(message: Message) -> Iterator[str]:
    for segment in message.all("MSH"):
        yield segment.part(4, 1)
    for segment in message.all("PV1"):
        yield segment.part(3, 4)
    for segment in message.all("IN1"):
        yield segment.part(4, 1)


def _addresses(segment: Segment, number: int) -> Iterator[str]:
    for one in segment.repeats(number):
        street, other, city, state, zip_code = (*one, "", "", "", "", "")[:5]
        parts = (street, other, city, " ".join(part for part in (state, zip_code) if part))
        yield ", ".join(part for part in parts if part)


def _phones(segment: Segment, number: int) -> Iterator[str]:
    for one in segment.repeats(number):
        first, area, local = (*one, *[""] * 7)[0], *(*one, *[""] * 7)[5:7]
        yield first if first and "@" not in first else " ".join(part for part in (area, local) if part)
