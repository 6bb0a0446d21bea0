"""Selection at the door, by the rules of the settings."""

from __future__ import annotations

import pytest

from preceptor.documents.selection import rule_broken
from preceptor.language import language
from preceptor.settings import SelectionSettings

NOTE = "The patient was seen in clinic for knee pain and will return in two weeks for a second examination."


def broken(rules: dict, **facts) -> str | None:
    said = {"note_type": None, "specialty": None, "author_role": None, "date": None, "text": NOTE} | facts
    return rule_broken(SelectionSettings(**rules), **said)


@pytest.mark.parametrize(
    ("rules", "facts", "rule"),
    [
        ({}, {}, None),
        ({"note_types": {"only": ["*discharge*"]}}, {"note_type": "Discharge Summary"}, None),
        ({"note_types": {"only": ["*discharge*"]}}, {"note_type": "progress note"}, "note-type"),
        ({"note_types": {"never": ["psycho*"]}}, {"note_type": "Psychotherapy note"}, "note-type"),
        ({"note_types": {"only": ["*"]}}, {}, "note-type-unknown"),
        ({"note_types": {"only": ["x"]}, "unknown": "take"}, {}, None),
        ({"specialties": {"only": ["cardiology"]}}, {"specialty": "orthopaedics"}, "specialty"),
        ({"author_roles": {"never": ["*student*"]}}, {"author_role": "medical student"}, "author-role"),
        ({"dates": {"since": "2020-01-01"}}, {"date": "2019-12-31"}, "date"),
        ({"dates": {"since": "2020-01-01"}}, {"date": "2020-01-01"}, None),
        (
            {"dates": {"until": "2020-06-30"}},
            {"date": "2020-06"},
            "date",
        ),  # it may be the 31st for all we know
        ({"dates": {"since": "2020-01-01", "until": "2020-12-31"}}, {"date": "2020"}, None),
        ({"dates": {"since": "2020-01-01"}}, {}, "date-unknown"),
        ({"words": {"min": 50}}, {}, "words"),
        ({"words": {"max": 5}}, {}, "words"),
        ({"languages": {"only": ["en"]}}, {}, None),
        ({"languages": {"never": ["en"]}}, {}, "language"),
        ({"languages": {"only": ["en"]}}, {"text": "12 34 56"}, "language-unknown"),
    ],
)
def test_a_document_is_refused_by_the_first_rule_that_it_breaks(rules, facts, rule):
    assert broken(rules, **facts) == rule


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (NOTE, "en"),
        ("La paciente refiere dolor en la rodilla derecha desde hace dos semanas y no ha mejorado.", "es"),
        (
            "Die Patientin klagt seit zwei Wochen über Schmerzen im rechten Knie und nimmt Ibuprofen ein.",
            "de",
        ),
    ],
)
def test_the_language_of_a_text(text, code):
    assert language(text) == code


def test_the_language_of_our_own_notes(notes):
    assert sum(language(note["text"]) == "en" for note in notes) >= 0.99 * len(notes)
