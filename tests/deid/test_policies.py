"""A policy says what is done with every type, and what comes out holds to it."""

from __future__ import annotations

import string

import pytest

from preceptor.deid.policies import LETTERS, POLICIES, Violation, violations
from preceptor.deid.surrogates import Surrogates
from preceptor.deid.types import SAFE_HARBOR, TYPES

SECRET = bytes(range(32))
VALUES = {
    "PATIENT": ["Wilhelmina Hathaway", "HATHAWAY, W.", "Minnie"],
    "DOCTOR": ["Dr. Begaye", "Tunde Adeyemi PA-C"],
    "RELATIVE": ["Philomena Hathaway", "Mrs. Hathaway"],
    "USERNAME": ["whathaway58"],
    "STREET": ["9011 Bolsa Ave #204", "Larkspur Avenue"],
    "CITY": ["Bemidji", "Tel Aviv"],
    "STATE": ["MN", "Minnesota"],
    "COUNTRY": ["Vietnam"],
    "ZIP": ["56601", "05901", "87104-1120"],
    "LOCATION_OTHER": ["4 West 12", "Lake Bemidji"],
    "HOSPITAL": ["St. David's Medical Center", "MGH"],
    "ORGANIZATION": ["Lone Star Bakery"],
    "AGE": ["67", "93-year-old", "ninety one", "3 months"],
    "DATE": ["11/05/1930", "01/28/2024", "3/14", "March 2024", "Tuesday", "Easter Monday", "02/30/2024", "tomorrow", "mid-May"],
    "YEAR": ["1930", "1998", "2019"],
    "PHONE": ["(218) 448-7734", "x5512"],
    "FAX": ["218-448-7735"],
    "EMAIL": ["w.hathaway@mail.org"],
    "SSN": ["471-22-8806", "8806"],
    "MRN": ["QZ-778812"],
    "HEALTHPLAN": ["1EG4-TE5-MK73", "Humana"],
    "ACCOUNT": ["V-009182-77"],
    "LICENSE": ["1234567893", "BA1234563"],
    "VEHICLE": ["1M8GDM9AXKP042788", "QXR-7721"],
    "DEVICE": ["PJN458812H"],
    "URL": ["https://www.hathaway.org/notes/2231"],
    "IP": ["10.20.30.40"],
    "BIOID": ["FP-0091A"],
    "IDNUM": ["24-S-10442"],
    "PROFESSION": ["retired machinist"],
}  # fmt: skip
PAIRS = [(kind, value) for kind, values in VALUES.items() for value in values]


def replaced(policy, patient="p-1", pairs=PAIRS):
    s = Surrogates(SECRET, patient, None, pairs, policy=POLICIES[policy], oldest_birth_year=1937)
    return [(kind, value, s.replace(kind, value)) for kind, value in pairs]


def test_the_values_are_of_every_type():
    assert set(VALUES) == TYPES


@pytest.mark.parametrize("policy", POLICIES)
def test_the_statement_covers_every_letter_and_every_type(policy):
    statement = POLICIES[policy].statement()
    assert "".join(statement["letters"]) == string.ascii_uppercase[:18] == "".join(LETTERS)
    said = {t: letter for letter, of in statement["letters"].items() for t in of["types"]}
    assert said == SAFE_HARBOR
    assert all(of["types"] for letter, of in statement["letters"].items() if letter != "Q")
    assert statement["letters"]["C"]["paragraph"] == "164.514(b)(2)(i)(C)"
    assert all(
        of["action"] == "replaced" or of["reason"]
        for x in statement["letters"].values()
        for of in x["types"].values()
    )
    assert statement["basis"].startswith("45 CFR 164.514(")
    assert statement["needs"]


def test_only_what_the_rule_permits_is_exempt():
    """(b)(2)(i)(B) and (C) name states, years, ages to 89 and ZIP areas; (e)(2) names what a limited data set drops."""
    assert set(POLICIES["safe_harbor"].exceptions) == {"STATE", "COUNTRY", "DATE", "YEAR", "AGE", "ZIP"}
    assert set(POLICIES["limited_dataset"].exceptions) == {
        "STATE",
        "COUNTRY",
        "DATE",
        "YEAR",
        "AGE",
        "CITY",
        "ZIP",
    }
    assert {t for t in TYPES if POLICIES["safe_harbor"].keeps(t)} == {"STATE", "COUNTRY"}


@pytest.mark.parametrize("patient", [f"p-{n}" for n in range(25)])
@pytest.mark.parametrize("policy", POLICIES)
def test_what_comes_out_holds_to_the_statement(policy, patient):
    done = replaced(policy, patient)
    assert violations(POLICIES[policy], done) == []
    for kind, old, new in done:
        if POLICIES[policy].keeps(kind):
            assert new == old
        elif POLICIES[policy].action(kind) == "replaced":
            assert new != old


@pytest.mark.parametrize(
    ("policy", "kind", "old", "new"),
    [
        ("safe_harbor", "PATIENT", "Hathaway", "Hathaway"),
        ("safe_harbor", "PATIENT", "Hathaway", "HATHAWAY"),
        ("safe_harbor", "PATIENT", "Wilhelmina Hathaway", "Alder, Wilhelmina"),
        ("safe_harbor", "MRN", "QZ-778812", "AB-778812"),
        ("safe_harbor", "DATE", "03/14/2024", "03/2024"),
        ("safe_harbor", "DATE", "03/14/2024", "April 2024"),
        ("safe_harbor", "DATE", "Tuesday", "Friday"),
        ("safe_harbor", "AGE", "93", "93"),
        ("safe_harbor", "ZIP", "87104", "87104"),
        ("safe_harbor", "ZIP", "87104", "56601"),
        ("safe_harbor", "CITY", "Bemidji", "bemidji"),
        ("safe_harbor", "PROFESSION", "mayor", "mayor"),
        ("limited_dataset", "DATE", "03/14/2024", "03/15/2024"),
        ("limited_dataset", "SSN", "471-22-8806", "471-22-8806"),
        ("shifted", "DATE", "03/14/2024", "03/14/2024"),
        ("shifted", "DATE", "03/14/2024", "spring 2024"),
        ("shifted", "AGE", "101", "101"),
        ("shifted", "STATE", "MN", "TX"),
    ],
)
def test_a_breach_is_found_and_told_without_the_text(policy, kind, old, new):
    found = violations(POLICIES[policy], [("YEAR", "2019", "2019"), (kind, old, new)])
    assert found == [Violation(1, kind, POLICIES[policy].action(kind))]
    assert old not in repr(found)


def test_dates_that_do_not_move_together_are_found():
    moved = [
        ("DATE", "03/14/2024", "04/03/2024"),
        ("DATE", "3/20/24", "4/9/24"),
        ("DATE", "03/21/2024", "04/11/2024"),
    ]
    assert [v.index for v in violations(POLICIES["shifted"], moved)] == [2]


def test_the_year_of_birth_goes_with_the_birth_date():
    from preceptor.records import PatientRecord

    record = PatientRecord.from_mapping({"name": "Jan Doe", "dob": "1971-07-19"})
    for n in range(40):
        s = Surrogates(SECRET, f"p-{n}", record, [])
        assert s.replace("YEAR", "1971") == s.replace("DATE", "07/19/1971")[-4:]
        assert s.replace("YEAR", "1972") == "1972"
        safe = Surrogates(SECRET, f"p-{n}", record, [], policy=POLICIES["safe_harbor"])
        assert safe.replace("YEAR", "1971") == "1971"
