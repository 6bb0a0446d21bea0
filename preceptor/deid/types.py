"""The types of identifiers, and the letter of Safe Harbor that each belongs to.

Letters are those of 45 CFR 164.514(b)(2)(i)(A)-(R). Two notes on what is done with them:
years (C), states and countries (B) and ages up to 89 (C) may stay under that rule, and stay;
shifted dates (mode `surrogate`) keep a day and a month, which Safe Harbor taken alone does not allow: they need an
expert's determination (164.514(b)(1)) or a limited data set. Mode `mask` removes them.
"""

from __future__ import annotations

SAFE_HARBOR: dict[str, str] = {
    "PATIENT": "A",
    "DOCTOR": "A",
    "RELATIVE": "A",
    "USERNAME": "A",
    "STREET": "B",
    "CITY": "B",
    "STATE": "B",
    "COUNTRY": "B",
    "ZIP": "B",
    "LOCATION_OTHER": "B",
    "HOSPITAL": "B",
    "ORGANIZATION": "B",
    "AGE": "C",
    "DATE": "C",
    "YEAR": "C",
    "PHONE": "D",
    "FAX": "E",
    "EMAIL": "F",
    "SSN": "G",
    "MRN": "H",
    "HEALTHPLAN": "I",
    "ACCOUNT": "J",
    "LICENSE": "K",
    "VEHICLE": "L",
    "DEVICE": "M",
    "URL": "N",
    "IP": "O",
    "BIOID": "P",
    "IDNUM": "R",
    "PROFESSION": "R",
}
TYPES = frozenset(SAFE_HARBOR)

PEOPLE = frozenset({"PATIENT", "DOCTOR", "RELATIVE"})
PLACES = frozenset({"HOSPITAL", "ORGANIZATION", "STREET", "CITY", "LOCATION_OTHER"})
NUMBERS = frozenset(
    "PHONE FAX SSN MRN HEALTHPLAN ACCOUNT LICENSE VEHICLE DEVICE BIOID IP IDNUM".split()  # replaced keeping shape
)
DIRECT = frozenset(
    "PATIENT DOCTOR RELATIVE USERNAME STREET ZIP PHONE FAX EMAIL URL SSN MRN HEALTHPLAN ACCOUNT LICENSE VEHICLE "
    "DEVICE BIOID IP IDNUM".split()
)
# Found and reported, but left as they are unless they tell an age over 89.
KEPT = frozenset({"STATE", "COUNTRY", "YEAR", "AGE"})
# Found once, these are searched for in all documents of the patient.
REPEATED = (
    PEOPLE
    | NUMBERS
    | frozenset({"USERNAME", "EMAIL", "URL", "HOSPITAL", "ORGANIZATION", "STREET", "CITY", "LOCATION_OTHER"})
)
OLDEST_AGE_KEPT = 89

# What others call them: Presidio (supported entities of 2.2), the token classifiers StanfordAIMI and obi, CoNLL.
_ELSEWHERE = {
    "PERSON": "PATIENT",
    "PER": "PATIENT",
    "HCW": "DOCTOR",
    "STAFF": "DOCTOR",
    "DATE_TIME": "DATE",
    "LOCATION": "CITY",
    "LOC": "CITY",
    "GPE": "CITY",
    "FAC": "LOCATION_OTHER",
    "NRP": "LOCATION_OTHER",
    "HOSP": "HOSPITAL",
    "PATORG": "ORGANIZATION",
    "VENDOR": "ORGANIZATION",
    "ORG": "ORGANIZATION",
    "PHONE_NUMBER": "PHONE",
    "EMAIL_ADDRESS": "EMAIL",
    "US_SSN": "SSN",
    "US_DRIVER_LICENSE": "LICENSE",
    "MEDICAL_LICENSE": "LICENSE",
    "US_NPI": "LICENSE",
    "US_MBI": "HEALTHPLAN",
    "CREDIT_CARD": "ACCOUNT",
    "US_BANK_NUMBER": "ACCOUNT",
    "IBAN_CODE": "ACCOUNT",
    "IP_ADDRESS": "IP",
}


def type_of(entity: str) -> str:
    """Our type for an entity of ours or of another's; one that nobody here knows is some other identifier."""
    return entity if entity in TYPES else _ELSEWHERE.get(entity, "IDNUM")


def same_family(a: str, b: str) -> bool:
    """Whether two types are the same kind of thing, so that overlapping finds of them are one find."""
    return a == b or any({a, b} <= family for family in (PEOPLE, PLACES, NUMBERS))
