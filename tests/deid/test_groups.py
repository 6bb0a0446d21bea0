"""The coarse groups beside a clean document."""

import pytest

from preceptor.deid.groups import age_band, author_role, sex
from preceptor.records import Document, Labels, PatientRecord


def document(date=None, author_role=None):
    return Document(
        "d-1", "p-1", "text", "note", "general", None, "text", "a.txt", Labels(), date, author_role
    )


@pytest.mark.parametrize(
    ("born", "written", "band"),
    [
        ("1950-06-15", "2020-06-14", "65-84"),
        ("1955-06-15", "2020-06-14", "40-64"),
        ("1955-06-15", "2020-06-15", "65-84"),
        ("1920-01-01", "2020-01-01", "85+"),
        ("1900-01-01", "2020-01-01", "85+"),
        ("2020-01-01", "2020-06-01", "under 1"),
        ("2020", "2025", "1-12"),
        ("2025-01-01", "2020-01-01", None),
        (None, "2020-01-01", None),
        ("1950-06-15", None, None),
        ("unknown", "2020-01-01", None),
    ],
)
def test_an_age_is_a_band(born, written, band):
    assert age_band(PatientRecord("1", birth_date=born), document(written)) == band


def test_nothing_is_known_of_a_patient_without_a_record():
    assert (age_band(None, document("2020")), sex(None)) == (None, None)


@pytest.mark.parametrize(
    ("said", "group"),
    [("F", "female"), ("male", "male"), ("X", "other"), ("", None), ("Unknown", None), (None, None)],
)
def test_a_sex_is_one_of_three(said, group):
    assert sex(PatientRecord("1", sex=said)) == group


@pytest.mark.parametrize(
    ("said", "role"),
    [
        ("registered nurse", "nurse"),
        ("nurse practitioner", "advanced practice"),
        ("attending", "physician"),
        ("dr. ezra quill, md", "physician"),
        ("medical student", "student"),
        ("ezra quill", "other"),
        (None, None),
    ],
)
def test_a_role_is_a_kind_and_never_what_the_file_says(said, role):
    assert author_role(document(author_role=said)) == role
