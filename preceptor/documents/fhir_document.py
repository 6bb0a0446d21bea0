"""What a FHIR file says about one document beside its text: kind, visit, date, author's role, diagnoses.

Source: HL7 FHIR R4 (4.0.1), DocumentReference, Composition, DiagnosticReport, Encounter, Condition and Claim.
"""

from __future__ import annotations

from collections.abc import Iterator

from preceptor.documents import people
from preceptor.documents.fhir_elements import (
    Resource,
    Resources,
    coded,
    element,
    elements,
    elements_if_any,
    refer,
    string,
    words,
)
from preceptor.records import ParsedDocument, PatientRecord

_ICD10 = (
    "http://hl7.org/fhir/sid/icd-10-cm",
    "http://hl7.org/fhir/sid/icd-10",
    "urn:oid:2.16.840.1.113883.6.90",
)


def describe(
    text: str,
    resource: Resource,
    patient: Resource | None,
    record: PatientRecord | None,
    resources: Resources,
    alone: bool,
) -> ParsedDocument:
    """Return the document of a resource. `alone`: no other in the file could have diagnoses without an encounter.

    Raises `UnreadableFile` `json-unknown` for an element of another type than FHIR gives it.
    """
    visit = _visit(resource)
    found = resources.follow(visit)
    encounter = found if found and found["resourceType"] == "Encounter" else {}
    kind = element(resource, "type") or element(resource, "code")
    loinc = next((string(c, "code") for c in coded(kind) if "loinc" in string(c, "system")), None)
    context = element(resource, "context")
    roles = list(_author_roles(resource, resources))
    return ParsedDocument(
        text,
        record,
        note_type=people.note_type(
            [*words(kind), string(resource, "description"), string(resource, "title")], loinc, record
        ),
        specialty=people.specialty(
            *words(element(context, "practiceSetting")), *words(element(encounter, "serviceType")), *roles
        ),
        encounter=next((v for i in elements(encounter, "identifier") if (v := string(i, "value"))), None)
        or refer(visit).rpartition("/")[2].rpartition(":")[2]
        or None,
        codes=_codes(text, visit, encounter, patient, resources, alone),
        date=_date(resource),
        author_role=people.plain_words(roles, record),
    )


def _visit(resource: Resource) -> Resource:
    visits = [*elements(element(resource, "context"), "encounter"), *elements_if_any(resource, "encounter")]
    return next((visit for visit in visits if visit), {})


def _date(resource: Resource) -> str | None:
    """When it was written, or what it is about; for a report, what it is about before when it was issued."""
    period = element(element(resource, "context"), "period")
    effective = element(resource, "effectivePeriod")
    return people.document_date(
        string(resource, "date"),
        string(period, "start"),
        string(resource, "effectiveDateTime"),
        string(effective, "start"),
        string(resource, "issued"),
        *(string(element(c, "attachment"), "creation") for c in elements(resource, "content")),
    )


def _author_roles(resource: Resource, resources: Resources) -> Iterator[str]:
    """What the first author is called: the role of that practitioner, else the qualification."""
    keys = ("author", "resultsInterpreter", "performer")
    authors = [author for key in keys for author in elements(resource, key)]
    found = next((f for f in map(resources.follow, authors) if f), None)
    if found is None:
        return
    roles = [found] if found["resourceType"] == "PractitionerRole" else []
    if found["resourceType"] == "Practitioner":
        roles = [r for r in resources.of_type("PractitionerRole") if _is_role_of(r, found, resources)]
    for role in roles:
        yield from (w for concept in elements(role, "code") for w in words(concept))
        yield from (w for concept in elements(role, "specialty") for w in words(concept))
        found = resources.follow(element(role, "practitioner")) or found
    if found["resourceType"] == "Practitioner":
        yield from (w for q in elements(found, "qualification") for w in words(element(q, "code")))


def _is_role_of(role: Resource, practitioner: Resource, resources: Resources) -> bool:
    return resources.follow(element(role, "practitioner")) is practitioner


def _codes(
    text: str,
    visit: Resource,
    encounter: Resource,
    patient: Resource | None,
    resources: Resources,
    alone: bool,
) -> dict[str, list[str]]:
    """The ICD-10 codes of the document's encounter, each with those words of its evidence that are in the text."""
    codes: dict[str, list[str]] = {}
    conditions = [*_conditions(visit, patient, resources, alone), *_diagnoses(encounter, resources)]
    for condition in conditions:
        said = [w for e in elements(condition, "evidence") for k in elements(e, "code") for w in words(k)]
        for code in _icd10(element(condition, "code")):
            quotes = codes.setdefault(code, [])
            quotes += [w for w in said if w in text and w not in quotes]
    for code in _claimed(visit, patient, resources):
        codes.setdefault(code, [])
    return codes


def _conditions(
    visit: Resource, patient: Resource | None, resources: Resources, alone: bool
) -> Iterator[Resource]:
    """The Conditions of the encounter. Those without one count only for the one document of a file, and a problem
    list's never."""
    for condition in resources.own(patient) if patient else []:
        if condition["resourceType"] != "Condition":
            continue
        categories = [c for k in elements(condition, "category") for c in coded(k)]
        listed = any(string(c, "code") == "problem-list-item" for c in categories)
        where = element(condition, "encounter")
        if _same(where, visit, resources) or (alone and not where and not listed):
            yield condition


def _same(one: Resource, other: Resource, resources: Resources) -> bool:
    """Whether two references name one resource, in whatever form they do."""
    if not one or not other:
        return False
    found = resources.follow(one)
    if found is not None:
        return found is resources.follow(other)
    return bool(refer(one)) and refer(one) == refer(other)


def _diagnoses(encounter: Resource, resources: Resources) -> Iterator[Resource]:
    for diagnosis in elements(encounter, "diagnosis"):
        found = resources.follow(element(diagnosis, "condition"))
        if found and found["resourceType"] == "Condition":
            yield found


def _claimed(visit: Resource, patient: Resource | None, resources: Resources) -> Iterator[str]:
    """The codes that Claims and ExplanationOfBenefits give for the encounter (`item.encounter`)."""
    for claim in resources.own(patient) if patient else []:
        if claim["resourceType"] not in ("Claim", "ExplanationOfBenefit"):
            continue
        items = [
            item
            for item in elements(claim, "item")
            if any(_same(where, visit, resources) for where in elements(item, "encounter"))
        ]
        # An item without sequences is for all diagnoses of the claim.
        wanted = [item.get("diagnosisSequence") for item in items]
        for diagnosis in elements(claim, "diagnosis") if items else []:
            number = diagnosis.get("sequence")
            if any(not isinstance(w, list) or number in w for w in wanted):
                yield from _icd10(element(diagnosis, "diagnosisCodeableConcept"))
                condition = resources.follow(element(diagnosis, "diagnosisReference")) or {}
                yield from _icd10(element(condition, "code"))


def _icd10(concept: Resource) -> Iterator[str]:
    for coding in coded(concept):
        if string(coding, "system") in _ICD10 and string(coding, "code"):
            yield string(coding, "code")
