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
        ("Quill disease", "Quill", "PATIENT"),
    ],
)
def test_people_and_dates_are_not_taken_for_medicine(text, value, kind):
    assert not is_medicine(text, span(text, value, kind))
