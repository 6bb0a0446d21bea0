"""What is said of a problem: ConText's cases, one a line."""

from __future__ import annotations

import pytest

from preceptor.evaluation.clinical.extract import extract

ABSENT, PRESENT, POSSIBLE, HISTORY, FAMILY, HYPOTHETICAL = (
    "absent", "present", "possible", "history", "family", "hypothetical",
)  # fmt: skip


def said(text: str) -> dict[str, str]:
    return {text[f.start : f.end].lower(): f.value for f in extract(text).found if f.kind == "problem"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("She denies cough, wheezing or fever.", {"cough": ABSENT, "wheezing": ABSENT, "fever": ABSENT}),
        ("Denies cough but reports wheezing.", {"cough": ABSENT, "wheezing": PRESENT}),
        ("No cough. Wheezing at night.", {"cough": ABSENT, "wheezing": PRESENT}),
        ("Pneumonia was ruled out.", {"pneumonia": ABSENT}),
        ("No change in his cough.", {"cough": PRESENT}),
        ("No increase in dyspnea, no vertigo", {"dyspnea": PRESENT, "vertigo": ABSENT}),
        ("Cough without fever, which resolved", {"cough": PRESENT, "fever": ABSENT}),
        ("Afebrile, abdomen nontender.", {"afebrile": ABSENT, "abdomen nontender": ABSENT}),
        ("Probable pneumonia.", {"pneumonia": POSSIBLE}),
        ("Gout versus cellulitis", {"gout": POSSIBLE, "cellulitis": POSSIBLE}),
        ("History of gout.", {"gout": HISTORY}),
        ("Past medical history:\nGout\nAsthma", {"gout": HISTORY, "asthma": HISTORY}),
        ("Family history:\nGout in an aunt.\n\nGout today.", {"gout": PRESENT}),
        ("Her mother had a stroke. She has gout.", {"stroke": FAMILY, "gout": PRESENT}),
        ("Presents with his mother for cough.", {"cough": PRESENT}),
        ("Call us if fever develops.", {"fever": HYPOTHETICAL}),
        ("No fever, no vomiting, mild rash.", {"fever": ABSENT, "vomiting": ABSENT, "rash": PRESENT}),
        ("No fever, no vomiting, rash, or cough.", {"fever": ABSENT, "vomiting": ABSENT, "rash": ABSENT, "cough": ABSENT}),
    ],
)  # fmt: skip
def test_a_problem_has_the_status_that_its_sentence_gives_it(text, expected):
    assert said(text) == expected


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("No.", ABSENT),
        ("Nope, none of that.", ABSENT),
        ("I don't, thank God.", ABSENT),
        ("Yes, every day.", PRESENT),
        ("Yeah, no, not lately.", ABSENT),
        ("Let me think.", "asked"),
    ],
)
def test_a_question_means_what_its_answer_says(reply, expected):
    text = f"Doctor: Do you have a cough?\nPatient: {reply}\nDoctor: I see."
    assert said(text) == {"cough": expected}


def test_a_denied_question_is_denied_by_a_yes():
    assert said("Doctor: No fever, right?\nPatient: Right.\nDoctor: Good.") == {"fever": ABSENT}


def test_a_question_outside_a_conversation_says_nothing():
    assert said("Does the patient have a cough?") == {"cough": "asked"}


def test_what_the_family_is_asked_about_is_the_familys():
    text = "Doctor: Any asthma in the family?\nPatient: {}\nDoctor: Fine."
    assert said(text.format("My brother has it.")) == {"asthma": FAMILY}
    assert said(text.format("No.")) == {"asthma": "asked"}
