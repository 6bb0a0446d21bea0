"""C-CDA R2.1 documents: the narrative of every section, and the header as a patient record.

Source of the element names: HL7 CDA R2 (POCD_HD000040) and the C-CDA R2.1 implementation guide.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from preceptor.documents import people
from preceptor.documents.errors import unreadable
from preceptor.documents.markup import flow, parse_xml, tag
from preceptor.documents.text import tidy
from preceptor.records import ParsedDocument, ParsedFile, PatientRecord

if TYPE_CHECKING:
    from lxml.etree import _Element

_CLINICIANS = frozenset({"assignedPerson", "informationRecipient"})
_RELATIVES = frozenset({"guardianPerson", "relatedPerson", "subject"})
_ORGANISATIONS = frozenset((
    "providerOrganization", "representedOrganization", "representedCustodianOrganization",
    "scopingOrganization", "receivedOrganization", "serviceProviderOrganization", "wholeOrganization",
    "guardianOrganization", "location",
))  # fmt: skip
_SSN_ROOT = "2.16.840.1.113883.4.1"
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
    patient = _patient(root)
    parts = [_section(section) for section in _top_sections(root)]
    parts += [
        document.text for body in _all(root, "nonXMLBody") for document in read_inner(_unwrap(body)).documents
    ]
    text = tidy("\n\n".join(part for part in parts if part.strip()))
    if not text:
        raise unreadable("ccda-no-text")
    code = _child(root, "code")
    document = ParsedDocument(
        text,
        patient,
        note_type=people.note_type(
            [code.get("displayName") if code is not None else None, _words(_child(root, "title"))],
            code.get("code") if code is not None else None,
            patient,
        ),
        specialty=people.specialty(*(c.get("displayName") for c in _author_codes(root))),
        encounter=_encounter(root),
        codes={icd: [] for icd in _codes(root)},
    )
    return ParsedFile((document,))


def _child(element: _Element, name: str) -> _Element | None:
    return next((child for child in element if tag(child) == name), None)


def _all(element: _Element, *names: str) -> Iterator[_Element]:
    return (found for found in element.iter() if tag(found) in names)


def _words(element: _Element | None) -> str:
    return "" if element is None else " ".join("".join(element.itertext()).split())


def _top_sections(root: _Element) -> list[_Element]:
    sections = list(_all(root, "section"))
    return [s for s in sections if not any(tag(above) == "section" for above in s.iterancestors())]


def _section(section: _Element) -> str:
    lines = []
    for child in section:
        if tag(child) == "title" and _words(child):
            lines.append(_words(child))
        elif tag(child) == "text":
            lines.append(flow(child))
        elif tag(child) == "component":
            lines += ["\n" + _section(inner) for inner in child if tag(inner) == "section"]
    return "\n".join(lines)


def _unwrap(body: _Element) -> bytes:
    text = _child(body, "text")
    if text is None or not (text.text or "").strip():
        raise unreadable("ccda-no-text")
    if text.get("representation") != "B64":
        return (text.text or "").encode()
    try:
        return base64.b64decode("".join((text.text or "").split()), validate=True)
    except ValueError:
        raise unreadable("xml-corrupt") from None


def _patient(root: _Element) -> PatientRecord | None:
    role = next(_all(root, "patientRole"), None)
    if role is None:
        return None
    identifiers: dict[str, str] = {}
    for element in role:
        if tag(element) == "id" and element.get("extension"):
            label = "ssn" if element.get("root") == _SSN_ROOT else "mrn"
            people.add_identifier(identifiers, label, element.get("extension"))
    born = next(_all(role, "birthTime"), None)
    sex = next(_all(role, "administrativeGenderCode"), None)
    # Relatives' addresses and phones identify the patient; those of people at work do not.
    near = [role, *root.iterfind("{*}participant"), *root.iterfind("{*}informant/{*}relatedEntity")]
    telecoms = [t.get("value") or "" for element in near for t in _all(element, "telecom")]
    return PatientRecord(
        patient_id=identifiers.get("mrn") or next(iter(identifiers.values()), ""),
        names=people.unique(n for name in role.iterfind("{*}patient/{*}name") for n in _names(name)),
        birth_date=people.iso_date(born.get("value")) if born is not None else None,
        sex=sex.get("code") if sex is not None else None,
        relatives=people.unique(n for e in root.iter() if _is_relative(e) for n in _names_below(e)),
        clinicians=people.unique(n for e in root.iter() if _is_clinician(e) for n in _names_below(e)),
        organisations=people.unique(_words(_child(e, "name")) for e in _all(root, *_ORGANISATIONS) if len(e)),
        phones=people.unique(
            t.partition(":")[2].strip() for t in telecoms if t.lower().startswith(("tel:", "fax:"))
        ),
        emails=people.unique(
            t.partition(":")[2].strip() for t in telecoms if t.lower().startswith("mailto:")
        ),
        addresses=people.unique(_address(a) for element in near for a in _all(element, "addr")),
        identifiers=identifiers,
    )


def _is_clinician(element: _Element) -> bool:
    return tag(element) in _CLINICIANS or (tag(element) == "associatedPerson" and _works_here(element))


def _is_relative(element: _Element) -> bool:
    return tag(element) in _RELATIVES or (tag(element) == "associatedPerson" and not _works_here(element))


def _works_here(person: _Element) -> bool:
    owner = person.getparent()
    return owner is not None and owner.get("classCode") in ("ASSIGNED", "PROV")


def _names_below(person: _Element) -> list[str]:
    return [n for name in person if tag(name) == "name" for n in _names(name)]


def _names(name: _Element) -> list[str]:
    """A name as it is said, and once more for every name that the person is called by (qualifier CL)."""
    if not len(name):
        return [_words(name)]
    given = [_words(g) for g in name if tag(g) == "given" and g.get("qualifier") != "CL"]
    called = [_words(g) for g in name if tag(g) == "given" and g.get("qualifier") == "CL"]
    family = [_words(f) for f in name if tag(f) == "family"]
    return [
        " ".join([*first, *family])
        for first in ([given] if given or not called else []) + [[c] for c in called]
    ]


def _address(addr: _Element) -> str:
    streets = [_words(e) for e in addr if tag(e) == "streetAddressLine"]
    city, state, zip_code = (_words(_child(addr, n)) for n in ("city", "state", "postalCode"))
    parts = [*streets, city, f"{state} {zip_code}".strip()]
    return ", ".join(part for part in parts if part) or _words(addr)


def _author_codes(root: _Element) -> Iterator[_Element]:
    return (c for e in _all(root, "assignedAuthor", "healthCareFacility") for c in e if tag(c) == "code")


def _encounter(root: _Element) -> str | None:
    visit = next(_all(root, "encompassingEncounter"), None)
    number = _child(visit, "id") if visit is not None else None
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
