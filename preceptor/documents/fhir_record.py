"""What a FHIR file says about one patient: the patient, what is filed under the patient, and all who are named there.

Source: HL7 FHIR R4 (4.0.1), data types HumanName, Address, ContactPoint and Identifier, and the resource pages;
the extensions patient-birthPlace and patient-mothersMaidenName.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from preceptor.documents import people
from preceptor.documents.errors import UnreadableFile
from preceptor.documents.fhir_elements import (
    Resource,
    Resources,
    coded,
    element,
    elements,
    refer,
    references,
    string,
    strings,
)
from preceptor.documents.gathered import Gathered
from preceptor.records import PatientRecord

# What a resource's identifiers are, where neither their type nor their system says it.
_LABELS = {
    "Patient": "identifier", "Practitioner": "license", "PractitionerRole": "license",
    "RelatedPerson": "relative", "Organization": "organisation id", "Location": "organisation id",
    "HealthcareService": "organisation id", "Coverage": "insurance", "Account": "account", "Encounter": "visit",
    "EpisodeOfCare": "visit", "Claim": "claim", "ExplanationOfBenefit": "claim", "ClaimResponse": "claim",
    "Device": "device", "Specimen": "specimen", "ImagingStudy": "accession", "ServiceRequest": "order",
    "DiagnosticReport": "report", "DocumentReference": "document", "Composition": "document",
}  # fmt: skip
_ROLES = {
    "Patient": "patient", "Practitioner": "clinician", "PractitionerRole": "clinician",
    "RelatedPerson": "relative", "Organization": "organisation", "Location": "organisation",
    "HealthcareService": "organisation", "CareTeam": "organisation",
}  # fmt: skip
# Elements whose reference may have nothing but a display.
_ROLES_OF_ELEMENTS = {
    **dict.fromkeys(("subject", "beneficiary", "subscriber"), "patient"),
    **dict.fromkeys((
        "author", "authenticator", "attester", "party", "performer", "individual", "actor", "requester", "recorder",
        "asserter", "generalPractitioner", "resultsInterpreter", "practitioner", "enterer", "collector", "who",
        "interpreter", "sender", "receiver", "source",
    ), "clinician"),
    **dict.fromkeys((
        "custodian", "serviceProvider", "managingOrganization", "payor", "insurer", "location", "organization",
        "provider", "facility", "policyHolder", "partOf", "owner", "origin", "destination", "healthcareService",
    ), "organisation"),
}  # fmt: skip


def patient_record(patient: Resource, resources: Resources) -> PatientRecord:
    """Return what the file says about a patient. A resource that cannot be read is refused and left out.

    Raises `UnreadableFile` `json-unknown` where the Patient itself has elements of other types than FHIR gives them.
    """
    gathered = Gathered()
    _add_patient(gathered, patient)
    gathered.settle_patient_id()
    name = string(patient, "id")
    # An id of a server and somebody's medical record number may be the same digits.
    gathered.patient_id = gathered.patient_id or (f"Patient/{name}" if name else "")
    gathered.add_identifier("fhir id", name)
    for resource in _around(patient, resources):
        try:
            _add(gathered, resource)
            _add_displays(gathered, resource, patient, resources)
        except UnreadableFile as error:
            if resource is patient:
                raise
            resources.refuse(resource, error.rule)
    return gathered.record()


def unknown_patient(subject: Resource) -> PatientRecord | None:
    """The record of a patient whose resource the file lacks, from the reference alone; None if that says nothing."""
    gathered = Gathered()
    number = element(subject, "identifier")
    _add_identifiers(gathered, [number] if number else [], "identifier")
    gathered.settle_patient_id()
    short = "/".join(refer(subject).partition("/_history")[0].split("/")[-2:])
    if short.startswith(("Patient/", "urn:uuid:")):
        gathered.patient_id = gathered.patient_id or short
        gathered.add_identifier("fhir id", short.rpartition("/")[2].rpartition(":")[2])
    gathered.names.append(string(subject, "display"))
    record = gathered.record()
    return record if record.patient_id or record.names else None


def names(person: Resource, key: str = "name") -> Iterator[str]:
    """The names of a person as they are said, and the text of a name where it says more than its parts."""
    for name in elements(person, key):
        said = " ".join([*strings(name, "given"), string(name, "family")]).strip()
        text = string(name, "text")
        known = {
            *said.lower().split(),
            *(" ".join((*strings(name, "prefix"), *strings(name, "suffix")))).lower().split(),
        }
        yield said
        if not {w.strip(".,") for w in text.lower().split()} <= {w.strip(".,") for w in known}:
            yield text


def _around(patient: Resource, resources: Resources) -> Iterator[Resource]:
    """The patient, all that is filed under the patient, and all that these refer to; not other patients."""
    waiting = [patient, *resources.own(patient)]
    seen = {id(resource) for resource in waiting}
    while waiting:
        resource = waiting.pop(0)
        if not resources.is_refused(resource):
            yield resource
        for key, reference in references(resource):
            found = _follow(reference, resources)
            # Patient.link names another record of the same person (a duplicate, a record before a merge).
            same = resource is patient and key == "other"
            if found and id(found) not in seen and (same or found["resourceType"] != "Patient"):
                seen.add(id(found))
                waiting.append(found)


def _follow(reference: Resource, resources: Resources) -> Resource | None:
    try:
        return resources.follow(reference)
    except UnreadableFile:
        return None  # the holder is refused by its own reader


def _add(gathered: Gathered, resource: Resource) -> None:
    kind = resource["resourceType"]
    if kind == "Patient":
        _add_patient(gathered, resource)
        return
    if kind in ("Practitioner", "RelatedPerson"):
        gathered.add_people(_ROLES[kind], names(resource))
    elif kind in ("Organization", "Location", "HealthcareService", "CareTeam"):
        gathered.organisations += [string(resource, "name"), *strings(resource, "alias")]
    if kind in _ROLES:
        _add_contact(gathered, resource)
    for contact in elements(resource, "contact") if kind == "Organization" else []:
        gathered.clinicians += names(contact)
        _add_contact(gathered, contact)
    label = _LABELS.get(kind, "identifier")
    numbers = elements(resource, "identifier") + elements(resource, "masterIdentifier")
    _add_identifiers(gathered, numbers, label)
    _add_special_numbers(gathered, resource, label)


def _add_special_numbers(gathered: Gathered, resource: Resource, label: str) -> None:
    kind = resource["resourceType"]
    if kind == "Practitioner":
        for qualification in elements(resource, "qualification"):
            _add_identifiers(gathered, elements(qualification, "identifier"), "license")
    elif kind == "Coverage":
        gathered.add_identifier("insurance", string(resource, "subscriberId"))
        gathered.add_identifier("insurance", string(resource, "dependent"))
        for one in elements(resource, "class"):
            gathered.add_identifier("insurance group", string(one, "value"))
    elif kind == "Encounter":
        before = element(element(resource, "hospitalization"), "preAdmissionIdentifier")
        _add_identifiers(gathered, [before], label)
    elif kind == "Device":
        for key in ("serialNumber", "distinctIdentifier", "lotNumber", "url"):
            gathered.add_identifier("device", string(resource, key))
        for carrier in elements(resource, "udiCarrier"):
            gathered.add_identifier("device", string(carrier, "carrierHRF"))
    elif kind == "Specimen":
        _add_identifiers(gathered, elements(resource, "accessionIdentifier"), "accession")
    elif kind == "ServiceRequest":
        _add_identifiers(gathered, elements(resource, "requisition"), label)
    elif kind in ("Claim", "ExplanationOfBenefit"):
        for insurance in elements(resource, "insurance"):
            for number in strings(insurance, "preAuthRef"):
                gathered.add_identifier("insurance", number)


def _add_patient(gathered: Gathered, patient: Resource) -> None:
    gathered.names += names(patient)
    _add_identifiers(gathered, elements(patient, "identifier"), "identifier")
    _add_contact(gathered, patient)
    for contact in elements(patient, "contact"):
        gathered.relatives += names(contact)
        _add_contact(gathered, contact)
    sex = string(patient, "gender")
    gathered.birth_date = gathered.birth_date or people.iso_date(string(patient, "birthDate"))
    gathered.sex = gathered.sex or {"male": "M", "female": "F"}.get(sex, sex) or None
    _add_extensions(gathered, elements(patient, "extension"))


def _add_extensions(gathered: Gathered, extensions: list[Resource]) -> None:
    """Keep the values of a Patient's extensions; what an unknown one holds as a string may identify as well."""
    for extension in extensions:
        name = string(extension, "url").rpartition("/")[2].removeprefix("patient-")
        address = element(extension, "valueAddress")
        text = string(extension, "valueString")
        if name == "birthPlace":
            gathered.add_birthplace(string(address, "city"), _address(address))
        elif address:
            gathered.addresses.append(_address(address))
        if name == "mothersMaidenName":
            gathered.relatives.append(text)
        elif name != "text":  # of race and ethnicity in US Core
            gathered.add_identifier(name, text)
        gathered.names += names(extension, "valueHumanName")
        _add_identifiers(gathered, elements(extension, "valueIdentifier"), name)
        _add_telecoms(gathered, elements(extension, "valueContactPoint"))
        _add_extensions(gathered, elements(extension, "extension"))


def _add_contact(gathered: Gathered, holder: Resource) -> None:
    _add_telecoms(gathered, elements(holder, "telecom"))
    gathered.addresses += map(_address, elements(holder, "address"))


def _add_telecoms(gathered: Gathered, points: list[Resource]) -> None:
    for point in points:
        if string(point, "value"):
            gathered.add_telecom(string(point, "value"))


def _add_identifiers(gathered: Gathered, numbers: Iterable[Resource], default: str) -> None:
    for number in numbers:
        types = [people.identifier_label(string(c, "code")) for c in coded(element(number, "type"))]
        known = [label for label in types if label != "identifier"]
        label = people.system_label(string(number, "system")) or next(iter(known), default)
        gathered.add_identifier(label, string(number, "value"))


def _add_displays(gathered: Gathered, resource: Resource, patient: Resource, resources: Resources) -> None:
    """Add the names in references to what the file does not hold, and those that are written beside a reference."""
    for key, reference in references(resource):
        found = resources.follow(reference)
        kind = string(reference, "type") or refer(reference).rpartition("/")[0].rpartition("/")[2]
        role = _ROLES.get(kind) if kind else _ROLES_OF_ELEMENTS.get(key)
        if role and (not found or found is patient):
            # A Patient that the file does not hold is another one: a mother, a newborn, a donor.
            other = role == "patient" and kind and not found
            gathered.add_people("relative" if other else role, [string(reference, "display")])
            if not found and role != "patient" and isinstance(reference.get("identifier"), dict):
                _add_identifiers(gathered, elements(reference, "identifier"), _LABELS.get(kind, "license"))
    for key in ("authorString", "performerString"):
        gathered.clinicians += (n for note in elements(resource, "note") for n in strings(note, key))


def _address(address: Resource) -> str:
    """An address on one line, or its text where that is all or says more."""
    keys = ("city", "district", "state", "postalCode")
    city, district, state, zip_code = (string(address, key) for key in keys)
    whole = people.address(strings(address, "line"), city, district, state, zip_code)
    return whole or string(address, "text")
