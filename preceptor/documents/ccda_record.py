"""Who a C-CDA document names: its header read as a patient record, and the people and numbers of its entries.

Every name, telecom, addr and id of the file is looked at, and put where its owner belongs, so that a header part that
no list here foresees is kept as well. Source: HL7 CDA R2 (POCD_HD000040), section 4.2 (header), and C-CDA R2.1
volume 2 (US realm header, policy activity, product instance).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from preceptor.documents import people
from preceptor.documents.gathered import Gathered
from preceptor.documents.markup import tag
from preceptor.records import PatientRecord

if TYPE_CHECKING:
    from lxml.etree import _Element

# The element that a name stands in, and whose name it is.
_OWNERS = {
    "patient": "patient",
    **dict.fromkeys(("assignedPerson", "informationRecipient", "maintainingPerson"), "clinician"),
    **dict.fromkeys(("guardianPerson", "relatedPerson", "subject", "relatedSubject"), "relative"),
    "location": "organisation",
}
# The element that an id stands in, and what it is unless its root says it.
_NUMBERS = {
    "patientRole": "mrn", "ClinicalDocument": "document", "parentDocument": "document",
    "externalDocument": "document", "order": "order", "encompassingEncounter": "visit", "encounter": "visit",
    "specimenRole": "specimen", "assignedAuthor": "license", "assignedEntity": "license",
    "intendedRecipient": "license", "relatedEntity": "relative", "guardian": "relative",
    "relatedSubject": "relative", "healthCareFacility": "organisation id",
}  # fmt: skip
# Who made a drug is no more than a brand, which a note may well name.
_BRANDS = frozenset({"manufacturedProduct", "scopingEntity"})
_AT_WORK = frozenset({"ASSIGNED", "PROV", "CON"})  # associatedEntity/@classCode of people in their job
_COVERED = frozenset({"COV", "HLD"})  # participants of a policy: who is covered, who holds it
_POLICIES = frozenset({"2.16.840.1.113883.10.20.22.4.60", "2.16.840.1.113883.10.20.22.4.61"})


def patient_record(root: _Element) -> PatientRecord | None:
    """Return what a ClinicalDocument says about its patient and everybody around; None without a patientRole."""
    role = next((e for e in root.iter() if tag(e) == "patientRole"), None)
    if role is None:
        return None
    gathered = Gathered()
    for number in (child for child in role if tag(child) == "id"):
        _add_number(gathered, number, "mrn")
    gathered.settle_patient_id()
    born = next(role.iterfind("{*}patient/{*}birthTime"), None)
    sex = next(role.iterfind("{*}patient/{*}administrativeGenderCode"), None)
    gathered.birth_date = people.iso_date(born.get("value")) if born is not None else None
    gathered.sex = sex.get("code") if sex is not None else None
    for element in root.iter():
        if element is not root and not any(tag(above) in _BRANDS for above in element.iterancestors()):
            _add(gathered, element)
    return gathered.record()


def child(element: _Element | None, name: str) -> _Element | None:
    """The first child of that name."""
    return next((c for c in element if tag(c) == name), None) if element is not None else None


def words(element: _Element | None) -> str:
    """All text below an element, runs of white space as one space."""
    return "" if element is None else " ".join("".join(map(str, element.itertext())).split())


def _add(gathered: Gathered, element: _Element) -> None:
    owner = element.getparent()
    kind = tag(element)
    if owner is None:
        return
    if kind in ("name", "desc") and (role := _role(owner)):
        gathered.add_people(role, _names(element) if role != "organisation" else [words(element)])
    elif kind == "name" and tag(owner) == "place":
        gathered.add_birthplace(words(element))
    elif kind == "telecom" and element.get("value"):
        gathered.add_telecom(element.get("value") or "")
    elif kind == "addr" and tag(owner) == "place" and _is_birthplace(owner):
        gathered.add_birthplace(words(child(element, "city")), _address(element))
    elif kind == "addr":
        gathered.addresses.append(_address(element))
    elif kind in ("id", "setId") and (label := _label(owner)):
        _add_number(gathered, element, label)


def _role(owner: _Element) -> str | None:
    """Whose a name in this element is; None for what is no person or organisation (a drug, a qualifier)."""
    name = tag(owner)
    above = owner.getparent()
    if name == "associatedPerson":
        return "clinician" if above is not None and above.get("classCode") in _AT_WORK else "relative"
    if name == "assignedPerson" and child_code(above) == "GUAR":  # the guarantor of a policy
        return "relative"
    if name == "playingEntity":
        return _played(owner)
    if name.endswith("Organization") and name != "manufacturerOrganization":
        return "organisation"
    return _OWNERS.get(name)


def _played(entity: _Element) -> str | None:
    """A participantRole of an entry is played by a drug or device more often than by a person or place."""
    role = entity.getparent()
    participant = role.getparent() if role is not None else None
    if role is None or participant is None:
        return None
    if participant.get("typeCode") == "COV" and child_code(role) == "SELF":
        return "patient"
    if participant.get("typeCode") in _COVERED or entity.get("classCode") == "PSN":
        return "clinician" if role.get("classCode") in _AT_WORK else "relative"
    return "organisation" if role.get("classCode") == "SDLOC" else None


def child_code(element: _Element | None) -> str | None:
    """The value of an element's `code`."""
    code = child(element, "code")
    return code.get("code") if code is not None else None


def _label(owner: _Element) -> str | None:
    """What an id in this element is; None for those of statements in the body, which nobody writes in a note."""
    name = tag(owner)
    above = owner.getparent()
    if name == "participantRole":
        covered = above is not None and above.get("typeCode") in _COVERED
        return "insurance" if covered else "device" if owner.get("classCode") == "MANU" else "identifier"
    if name == "associatedEntity":
        return "license" if owner.get("classCode") in _AT_WORK else "relative"
    if name == "act" and any(tag(c) == "templateId" and c.get("root") in _POLICIES for c in owner):
        return "insurance"
    if name.endswith("Organization"):
        return "organisation id"
    in_body = any(tag(e) in ("structuredBody", "nonXMLBody") for e in owner.iterancestors())
    return _NUMBERS.get(name) or (None if in_body else "identifier")


def _add_number(gathered: Gathered, element: _Element, label: str) -> None:
    gathered.add_identifier(people.system_label(element.get("root")) or label, element.get("extension"))


def _names(name: _Element) -> Iterator[str]:
    """A name as it is said, and once more for every name that the person is called by (qualifier CL)."""
    if not len(name):
        yield words(name)
        return
    called = [words(g) for g in name if tag(g) == "given" and g.get("qualifier") == "CL"]
    given = [words(g) for g in name if tag(g) == "given" and g.get("qualifier") != "CL"]
    # A prefix with qualifier VV belongs to the family's name: `van`, `de la`.
    family = [
        words(f) for f in name if tag(f) == "family" or (tag(f) == "prefix" and f.get("qualifier") == "VV")
    ]
    for first in ([given] if given or not called else []) + [[c] for c in called]:
        yield " ".join([*first, *family])
    loose = " ".join(t for t in [name.text, *(part.tail for part in name)] if t and t.strip())
    yield loose


def _is_birthplace(place: _Element) -> bool:
    above = place.getparent()
    return above is not None and tag(above) == "birthplace"


def _address(addr: _Element) -> str:
    """An address on one line. Its street is whole in lines, or in parts (number, name, unit; data type AD)."""
    lines = [words(e) for e in addr if tag(e) in ("streetAddressLine", "deliveryAddressLine")]
    parts = " ".join(
        words(e) for e in addr if tag(e) in ("houseNumber", "direction", "streetName", "streetNameType")
    )
    more = [
        words(e) for e in addr if tag(e) in ("unitID", "additionalLocator", "postBox", "careOf", "precinct")
    ]
    rest = (words(child(addr, n)) for n in ("city", "county", "state", "postalCode"))
    return people.address([*lines, parts, *more], *rest) or (words(addr) if not len(addr) else "")
