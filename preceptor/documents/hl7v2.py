"""HL7 v2 messages with reports in them: MDM^T02, ORU^R01, and any other message with text in OBX.

One message is one document (one for each patient in it). Source of the field numbers: HL7 v2.5.1, chapters 2 (encoding), 3 (PID, PV1,
NK1), 4 and 7 (OBR, OBX) and 9 (TXA).
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Iterable

from preceptor.documents import people
from preceptor.documents.errors import UnreadableFile, unreadable
from preceptor.documents.hl7v2_record import author_roles, encounter, icd10, patient_record
from preceptor.documents.hl7v2_syntax import Message, Segment, parse, split
from preceptor.documents.text import tidy
from preceptor.records import ParsedDocument, ParsedFile, PatientRecord, RefusedPart

ReadInner = Callable[[bytes], ParsedFile]
_WORDS = ("TX", "FT", "ST", "")  # OBX-2 of what people write
_OTHERS = ("ED", "RP")  # a file in the message, a link to one; everything else is a measured value


def read(data: bytes, read_inner: ReadInner) -> ParsedFile:
    """Return one document for each message that has text, and the patient of every other message that identifies one.

    A message that cannot be read, or whose event promises a text that is not there, is a refused part; so is one whose
    patient has no identifier. Files inside (OBX-2 `ED`) are read by `read_inner`. Raises `UnreadableFile` if nothing
    could be read: the rule of the first refused message (`hl7-corrupt`, those of a file inside), or `hl7-no-text`.
    """
    documents: list[ParsedDocument] = []
    patients: list[PatientRecord] = []
    refused: list[RefusedPart] = []
    for n, sent in enumerate(split(data), 1):
        try:
            read_ones = [_read_message(message, read_inner) for message in parse(sent)]
        except UnreadableFile as error:
            refused.append(RefusedPart(f"message {n}", error.rule, sent))
            continue
        documents += [one for one in read_ones if isinstance(one, ParsedDocument)]
        patients += [one for one in read_ones if isinstance(one, PatientRecord)]
    if not documents and not patients:
        raise unreadable(refused[0].rule if refused else "hl7-no-text")
    return ParsedFile(tuple(documents), tuple(patients), tuple(refused))


def _read_message(message: Message, read_inner: ReadInner) -> ParsedDocument | PatientRecord | None:
    """The document of a message, else its patient; None for one about no patient (an acknowledgement)."""
    document = _document(message, read_inner)
    if document.text:
        return document
    if _promises_text(message) or (document.patient and not document.patient.patient_id):
        raise unreadable("hl7-no-text")
    return document.patient


def _promises_text(message: Message) -> bool:
    """Whether MSH-9 is an event that carries a document (T02 and the even ones after it) or results."""
    kind, event = message.segments[0].part(9, 1), message.segments[0].part(9, 2)
    return kind in ("ORU", "OUL") or (kind == "MDM" and event in ("T02", "T04", "T06", "T08", "T10"))


def _document(message: Message, read_inner: ReadInner) -> ParsedDocument:
    patient = patient_record(message)
    orders = message.all("OBR")
    kinds = [s.part(2, 2) or s.part(2, 1) for s in message.all("TXA")] + [s.part(4, 2) for s in orders]
    services = [s.text(10) for s in message.all("PV1")] + [s.text(24) for s in orders]
    text, inside = _text(message, read_inner)
    document = ParsedDocument(
        text,
        patient,
        note_type=people.note_type([_TXA_TYPES.get(kind, kind) for kind in kinds], _loinc(orders), patient),
        specialty=people.specialty(*services, *kinds),
        encounter=encounter(message),
        codes={code: [] for code in icd10(message)},
        date=_date(message),
        author_role=people.plain_words(author_roles(message), patient),
    )
    for file in inside:
        document = people.absorb(document, file)
    return document


def _date(message: Message) -> str | None:
    """When the document was written (TXA-4, TXA-6), the study was done (OBR-7), or the message sent (MSH-7)."""
    written = [s.part(n, 1) for s in message.all("TXA") for n in (4, 6)]
    observed = [s.part(7, 1) for s in message.all("OBR")]
    return people.document_date(*written, *observed, message.segments[0].part(7, 1))


# HL7 table 0270, document types.
_TXA_TYPES = {
    "CN": "consult note", "DI": "radiology report", "DS": "discharge summary", "ED": "ED note", "HP": "H&P",
    "OP": "operative report", "PC": "psychiatry note", "PH": "psychiatry H&P", "PN": "procedure note",
    "PR": "progress note", "SP": "pathology report", "TS": "transfer summary", "CD": "cath report",
}  # fmt: skip


def _loinc(orders: Iterable[Segment]) -> str | None:
    return next((order.part(4, 1) for order in orders if order.part(4, 3) == "LN"), None)


def _text(message: Message, read_inner: ReadInner) -> tuple[str, list[ParsedFile]]:
    """The text of a message, and the files inside whose text is part of it."""
    inside: list[ParsedFile] = []
    orders = message.all("OBR")
    observed = [s for s in message.segments if s.name == "OBX"]
    repeated = Counter(s.part(3, 1) + s.part(3, 2) for s in observed)
    headings = {s.part(3, 2) for s in observed if s.text(2) in _WORDS and s.part(3, 2)}
    lines: list[str] = []
    heading = ""
    for segment in message.segments:
        if segment.name == "OBR" and len(orders) > 1 and segment.part(4, 2):
            lines += ["", segment.part(4, 2)]
        elif segment.name == "OBX" and segment.text(2) == "ED":
            inside.append(read_inner(_file_inside(segment)))
            lines += [document.text for document in inside[-1].documents]
        elif segment.name == "OBX" and segment.text(2) not in _OTHERS:
            once = repeated[segment.part(3, 1) + segment.part(3, 2)] == 1
            if segment.text(2) not in _WORDS or (segment.text(2) == "ST" and once and segment.part(3, 2)):
                lines.append(_value(segment))
                continue
            # One name over all lines is the report itself; several are its parts (findings, impression).
            if len(headings) > 1 and segment.part(3, 2) not in ("", heading):
                heading = segment.part(3, 2)
                lines.append(heading)
            lines += segment.lines(5)
        elif segment.name == "NTE" and lines:
            lines += segment.lines(3)
    return tidy("\n".join(lines)), inside


def _value(segment: Segment) -> str:
    """A measured value as one line: `Potassium: 5.1 mmol/L (3.5-5.0) H`."""
    name = segment.part(3, 2) or segment.part(3, 1)
    coded = segment.text(2) in ("CE", "CWE", "CNE", "CF")
    value = (segment.part(5, 2) or segment.part(5, 1)) if coded else " ".join(segment.text(5).split("^"))
    if not value:
        return ""
    extent = f"({segment.text(7)})" if segment.text(7) else ""
    return " ".join(part for part in (f"{name}:", value, segment.part(6, 1), extent, segment.text(8)) if part)


def _file_inside(segment: Segment) -> bytes:
    if segment.part(5, 4).lower() != "base64":
        return segment.part(5, 5).encode()
    try:
        return base64.b64decode("".join(segment.part(5, 5).split()), validate=True)
    except ValueError:
        raise unreadable("hl7-corrupt") from None
