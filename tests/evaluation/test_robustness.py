"""A model that a change throws off is found, one that stays as it is is not accused; what a document says survives its changes."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pytest

from preceptor.curation.sections import sections
from preceptor.evaluation.facts import Prediction
from preceptor.evaluation.robustness import robustness
from preceptor.evaluation.robustness.changes import CHANGES, changed_prompt
from preceptor.records import Example
from preceptor.settings import EvaluationSettings

NOTE = """HISTORY
He is a 61-year-old man with a history of hypertension who reports shortness of breath when climbing two flights.
EXAMINATION
Blood pressure 148/92, heart rate 77, clear lungs, trace oedema of both ankles in the evening, no murmur at rest.
PLAN
Amlodipine 5 mg is raised to 10 mg twice daily as needed; he returns in six weeks with his readings of every morning.
"""
ANSWER = "I10: history of hypertension\nR06.02: shortness of breath"
NUMBER = re.compile(r"\d+(?:[/.]\d+)?")


def case(number: int) -> Example:
    return Example(
        f"c-{number}", "coding_cardiology", "test", f"p-{number}", (f"d-{number}",), "cardiology", f"Code this.\n\n{NOTE}", ANSWER
    )  # fmt: skip


def material(answer, count: int = 12, asked: int = 12):
    """A fine-tuned model that codes rightly, and whose answers to other prompts are what `answer` makes of them."""
    cases = [case(n) for n in range(count)]
    rows = [
        Prediction(c, "finetuned", ANSWER, 1, 1, True, False, False, 0.0, {"code_f1": 1.0}) for c in cases
    ]
    return SimpleNamespace(
        cases=cases,
        by_arm={"finetuned": rows},
        models={},
        settings=EvaluationSettings(bootstrap_samples=4000, robustness={"cases": asked}),
        ask=lambda role, questions: [answer(q.prompt) for q in questions],
    )


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_keeps_the_instruction_the_numbers_and_what_is_quoted(change):
    made = [changed_prompt(case(n), change, 1) for n in range(20)]
    assert made == [changed_prompt(case(n), change, 1) for n in range(20)]
    told = [prompt for prompt in made if prompt]
    assert len(told) > 15
    for prompt in told:
        assert prompt.startswith("Code this.\n\n") and prompt != case(0).prompt
        assert sorted(NUMBER.findall(prompt)) == sorted(NUMBER.findall(NOTE))
        plain = " ".join(prompt.split()).lower()
        assert "history of hypertension" in plain and "shortness of breath" in plain


def test_what_is_said_in_turn_keeps_its_order():
    spoken = "\n".join(f"{who}: sentence number {n}" for n in range(4) for who in ("DOCTOR", "PATIENT"))
    talk = Example("t", "bh_note", "test", "p", ("d",), "behavioural health", f"Write.\n\n{spoken}", "Note.")
    assert len(sections(spoken)) > 4
    assert changed_prompt(talk, "order of sections", 1) is None


def test_the_planted_weakness_is_found_and_no_other():
    facts = robustness(material(lambda prompt: "I10" if "BLOOD PRESSURE" in prompt else ANSWER))
    found = facts["models"]["finetuned"]["changes"]
    worse = {name for name, row in found.items() if row["falls"]}
    assert worse == {"capitals"}
    row = found["capitals"]  # one code of two is left: F1 2/3 in each of twelve cases
    assert row["answers"] == row["patients"] == 12
    assert row["drop"] == pytest.approx(1 / 3) and row["low"] == pytest.approx(1 / 3)
    assert facts["gate"]["worst_drop"] == row["low"]
    assert row["agreement"] == pytest.approx(2 / 3) and row["changed"]["hits"] == 12
    assert {w["change"] for w in facts["worst"]} == {"capitals"}
    assert page(facts).count("▼ falls") == 1


def test_what_is_not_shown_counts_nothing_and_too_few_patients_say_nothing():
    assert robustness(material(lambda prompt: ANSWER))["gate"] == {"worst_drop": 0.0}
    one_of_many = material(lambda prompt: ANSWER)
    one_of_many.ask = lambda role, questions: ["none", *[ANSWER] * (len(questions) - 1)]
    assert robustness(one_of_many)["gate"] == {"worst_drop": 0.0}
    few = robustness(material(lambda prompt: "none", count=9))
    assert few["gate"] == {} and page(few).count("◇ too few") == len(CHANGES)
    assert robustness(material(lambda prompt: ANSWER, asked=0)) is None


def page(facts) -> str:
    from preceptor.evaluation.report import template

    arms = {"finetuned": {"label": "Fine-tuned model"}}
    return template("sections/robustness.html.j2").render(facts=facts, report={"arms": arms})
