"""Sections of notes."""

import pytest

from preceptor.curation.sections import named, sections

NOTE = """Seen today for follow-up.
HPI: Knee pain for two weeks. Worse on stairs: yes.
FINDINGS
Effusion, no fracture.
Meds: ibuprofen

Assessment & Plan:
1. Rest
2. Return if: fever
## Follow-up
In a week."""


def test_titles_cut_a_note_and_nothing_is_lost():
    found = sections(NOTE)
    assert [s.title for s in found] == ["", "hpi", "findings", "assessment and plan", "follow-up"]
    assert "".join(NOTE[s.start : s.end] for s in found) == NOTE
    assert found[1].body == "Knee pain for two weeks. Worse on stairs: yes."
    assert found[2].body == "Effusion, no fracture.\nMeds: ibuprofen"


@pytest.mark.parametrize(
    "text", ["", "One line only.", "He said that he felt much better than before:\nso we went on."]
)
def test_prose_is_one_section_at_most(text):
    assert [s.body for s in sections(text)] == ([text] if text else [])


def test_the_first_section_with_one_of_the_names_and_something_in_it():
    assert named(NOTE, ["Impression", "Assessment and Plan"]).body.startswith("1. Rest")
    assert named("PLAN:\n\nIMPRESSION:\nWell.", ["plan"]) is None
    assert named(NOTE, ["Impression"]) is None
