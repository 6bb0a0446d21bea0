from __future__ import annotations

import pytest

from preceptor.deid.allowlist import is_medicine
from preceptor.records import Span


def span(text, value, kind):
    at = text.index(value)
    return Span(at, at + len(value), kind, 0.9, "tagger")


@pytest.mark.parametrize(
    ("text", "value", "kind"),
    [
        ("known Parkinson disease", "Parkinson", "RELATIVE"),
        ("Wolff-Parkinson-White on ECG", "Parkinson", "DOCTOR"),
        ("a Foley catheter", "Foley", "PATIENT"),
        ("Babinski sign absent", "Babinski", "DOCTOR"),
        ("allegra 180 mg daily", "allegra", "RELATIVE"),
        ("Apgar 8/9", "8/9", "DATE"),
        ("Glasgow coma scale 15", "Glasgow", "CITY"),
        ("3/7 hx of cough", "3/7", "DATE"),
        ("severity score - 9/10", "9/10", "DATE"),
        ("rates it 7/10", "7/10", "DATE"),
        ("LMP 4/52 ago", "4/52", "DATE"),
        ("worse over the past 2/7", "2/7", "DATE"),
        ("5/12 history of fatigue", "5/12", "DATE"),
        ("PC: cough\nPMH: nil\nDH: nil regular\nNKDA", "DH", "PATIENT"),
        ("Primary diagnosis code is R94.39.", "R94.39", "IDNUM"),
        ("ICD-10-CM S72.001A", "S72.001A", "IDNUM"),
    ],
)
def test_medicine_is_told_from_its_surroundings(text, value, kind):
    assert is_medicine(text, span(text, value, kind))


@pytest.mark.parametrize(
    ("text", "value", "kind"),
    [
        ("Dr. Parkinson will call", "Parkinson", "DOCTOR"),
        ("seen by Parkinson disease clinic", "Parkinson", "DOCTOR"),
        ("her daughter Allegra", "Allegra", "RELATIVE"),
        ("Foley, Ada M.", "Foley", "PATIENT"),
        ("seen 8/9", "8/9", "DATE"),
        ("seen 3/7", "3/7", "DATE"),
        ("scheduled for 3/7", "3/7", "DATE"),
        ("admitted in the last 3/12", "3/12", "DATE"),
        ("last seen 3/12 by us", "3/12", "DATE"),
        ("Clinician: How are you?\nDH: I slept badly.", "DH", "PATIENT"),
        ("PC: cough\nPMH: nil\nNKDA\nSigned by DH", "DH", "DOCTOR"),
        ("Quill disease", "Quill", "PATIENT"),
        ("file no. R94.39", "R94.39", "IDNUM"),
        ("diagnosis R94.39, MRN R94.39", "R94.39", "MRN"),
        ("billing code 8839-2211", "8839-2211", "IDNUM"),
    ],
)
def test_people_and_dates_are_not_taken_for_medicine(text, value, kind):
    assert not is_medicine(text, span(text, value, kind))
