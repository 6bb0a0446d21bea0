"""C-CDA R2.1 documents: the narrative of every section, and the header as a patient record.

Source of the element names: HL7 CDA R2 (POCD_HD000040) and the C-CDA R2.1 implementation guide.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from preceptor.documents import people
from preceptor.documents.ccda_record import child, patient_record, words
from preceptor.documents.errors import unreadable
from preceptor.documents.markup import flow, parse_xml, tag
from preceptor.documents.text import tidy
from preceptor.records import ParsedDocument, ParsedFile

if TYPE_CHECKING:
    from lxml.etree import _Element

_ICD10CM = "2.16.840.1.113883.6.90"
# Entries that say what this encounter was for; a problem list says what the patient ever had.
_ENCOUNTER_DIAGNOSES = {
    "2.16.840.1.113883.10.20.22.4.80",  # encounter diagnosis
    "2.16.840.1.113883.10.20.22.4.33",  # hospital discharge diagnosis
    "2.16.840.1.113883.10.20.22.4.34",  # hospital admission diagnosis
}


def read(data: bytes, read_inner: Callable[[bytes], ParsedFile]) -> ParsedFile:
    """Return a C-CDA file as one document; a file wrapped in it (nonXMLBody) is read by `read_inner`.

    Raises `UnreadableFile`: those of `parse_xml`, `ccda-no-text`, and those of the file inside.
    """
    root = parse_xml(data)
    patient = patient_record(root)
    inside = [read_inner(_unwrap(body)) for body in _all(root, "nonXMLBody")]
    parts = [_section(section) for section in _top_sections(root)]
    parts += [document.text for file in inside for document in file.documents]
    text = tidy("\n\n".join(part for part in parts if part.strip()))
    if not text:
        raise unreadable("ccda-no-text")
    code = child(root, "code")
    document = ParsedDocument(
        text,
        patient,
        note_type=people.note_type(
            [code.get("displayName") if code is not None else None, words(child(root, "title"))],
            code.get("code") if code is not None else None,
            patient,
        ),
        specialty=people.specialty(
            *(c.get("displayName") for c in _codes_of(root, "assignedAuthor", "healthCareFacility"))
        ),
        encounter=_encounter(root),
        codes={icd: [] for icd in _codes(root)},
        date=_date(root),
        author_role=people.plain_words(_author_roles(root), patient),
    )
    for file in inside:
        document = people.absorb(document, file)
    return ParsedFile((document,))


def _date(root: _Element) -> str | None:
    """When the document was written (effectiveTime), or its author's time."""
    times = [child(root, "effectiveTime"), *root.iterfind("{*}author/{*}time")]
    return people.document_date(*(time.get("value") for time in times if time is not None))


def _author_roles(root: _Element) -> Iterator[str | None]:
    """What the authors of the document are called: the code of assignedAuthor, or how it was written there.

    Names of the provider taxonomy begin with a group that says little: `Allopathic & Osteopathic Physicians; Surgery`.
    """
    for code in root.iterfind("{*}author/{*}assignedAuthor/{*}code"):
        yield (code.get("displayName") or "").rpartition(";")[2]
        yield words(child(code, "originalText"))


def _all(element: _Element, *names: str) -> Iterator[_Element]:
    return (found for found in element.iter() if tag(found) in names)


def _top_sections(root: _Element) -> list[_Element]:
    sections = list(_all(root, "section"))
    return [s for s in sections if not any(tag(above) == "section" for above in s.iterancestors())]


def _section(section: _Element) -> str:
    lines = []
    for part in section:
        if tag(part) == "title" and words(part):
            lines.append(words(part))
        elif tag(part) == "text":
            lines.append(flow(part))
        elif tag(part) == "component":
            lines += ["\n" + _section(inner) for inner in part if tag(inner) == "section"]
    return "\n".join(lines)


def _unwrap(body: _Element) -> bytes:
    text = child(body, "text")
    if text is None or not (text.text or "").strip():
        raise unreadable("ccda-no-text")
    if text.get("representation") != "B64":
        return (text.text or "").encode()
    try:
        return base64.b64decode("".join((text.text or "").split()), validate=True)
    except ValueError:
        raise unreadable("xml-corrupt") from None


def _codes_of(root: _Element, *owners: str) -> Iterator[_Element]:
    return (c for owner in _all(root, *owners) for c in owner if tag(c) == "code")


def _encounter(root: _Element) -> str | None:
    visit = next(_all(root, "encompassingEncounter"), None)
    number = child(visit, "id") if visit is not None else None
    return number.get("extension") if number is not None else None


def _codes(root: _Element) -> list[str]:
    entries = (e.getparent() for e in _all(root, "templateId") if e.get("root") in _ENCOUNTER_DIAGNOSES)
    found = [
        value.get("code")
        for entry in entries
        if entry is not None
        for value in _all(entry, "value", "translation")
        if value.get("codeSystem") == _ICD10CM
    ]
    return list(dict.fromkeys(code for code in found if code))
