"""A patient record while it is gathered from the structured parts of a file."""

from __future__ import annotations

import re
from collections.abc import Iterable

from preceptor.documents import people
from preceptor.records import PatientRecord

_PHONE_SCHEMES = frozenset({"tel", "fax", "sms", "callto", "pager", "x-text-fax", "x-text-tel"})
_URL = re.compile(r"(?:[a-z][a-z0-9+.-]*://|www\.)", re.IGNORECASE)
# De-identification compares the last ten digits of a number, so an extension must not be among them.
_EXTENSION = re.compile(r"(?:;.*|\s*(?:x|ext\.?|extension)\s*\d+\s*)$", re.IGNORECASE | re.DOTALL)


class Gathered:
    """What is known so far; `record` returns it without blanks and repetitions, in the order it was found.

    The lists may be appended to directly. Labels of identifiers are read by de-identification, which looks for words
    such as `ssn` or `license` in them.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self.relatives: list[str] = []
        self.clinicians: list[str] = []
        self.organisations: list[str] = []
        self.phones: list[str] = []
        self.emails: list[str] = []
        self.addresses: list[str] = []
        self.identifiers: dict[str, str] = {}
        self.birth_date: str | None = None
        self.sex: str | None = None
        self.patient_id = ""

    def add_people(self, role: str, names: Iterable[str]) -> None:
        """Put names where `role` says: `patient`, `relative`, `clinician` or `organisation`."""
        {
            "patient": self.names, "relative": self.relatives, "clinician": self.clinicians,
            "organisation": self.organisations,
        }[role].extend(names)  # fmt: skip

    def add_identifier(self, label: str, value: str | None) -> None:
        people.add_identifier(self.identifiers, label, value)

    def add_telecom(self, value: str, other: str = "user name") -> None:
        """Put a phone or fax number, an e-mail or web address where it belongs, with or without its scheme.

        What is none of them (the name of somebody in a messenger) becomes an identifier labelled `other`.
        """
        value = value.strip()
        scheme, colon, rest = value.partition(":")
        if colon and scheme.lower() in _PHONE_SCHEMES:
            value = rest
        elif colon and scheme.lower() == "mailto":
            value = rest.partition("?")[0]
        if _URL.match(value):
            self.add_identifier("url", value)
        elif "@" in value:
            self.emails.append(value)
        elif (number := _EXTENSION.sub("", value)) and any(c.isdigit() for c in number):
            self.phones.append(number)
        else:
            self.add_identifier(other, value)

    def add_birthplace(self, city: str, address: str = "") -> None:
        """Keep where the patient was born: the city by itself, and the address if it says more than a city."""
        self.add_identifier("birth city", city)
        if any(c.isdigit() for c in address):
            self.addresses.append(address)

    def settle_patient_id(self) -> None:
        """Take the patient's id from the identifiers so far: call it before those of others are added."""
        self.patient_id = self.identifiers.get("mrn") or next(iter(self.identifiers.values()), "")

    def record(self) -> PatientRecord:
        return PatientRecord(
            patient_id=self.patient_id,
            names=people.unique(self.names),
            birth_date=self.birth_date,
            sex=self.sex,
            relatives=people.unique(self.relatives),
            clinicians=people.unique(self.clinicians),
            organisations=people.unique(self.organisations),
            phones=people.unique(self.phones),
            emails=people.unique(self.emails),
            addresses=people.unique(self.addresses),
            identifiers=self.identifiers,
        )
