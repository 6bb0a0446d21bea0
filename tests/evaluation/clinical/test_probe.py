"""The section of the report: counts with intervals, numbers for gates, and no word of a case in its facts."""

from __future__ import annotations

import json

import pytest

from preceptor.evaluation.clinical.marking import listed, marked_answer, marked_reference
from preceptor.evaluation.clinical.probe import clinical_facts
from preceptor.evaluation.facts import Prediction
from preceptor.evaluation.metrics import score
from preceptor.evaluation.probes import PROBES, Material
from preceptor.records import Example
from preceptor.settings import EvaluationSettings

PROMPT = "Summarise.\n\nRight knee pain. Denies fever. Metformin 500 mg twice daily."
REFERENCE = "Right knee pain, no fever. Metformin 500 mg twice daily."
GOOD, BAD = REFERENCE, "Left knee pain with fever. Metformin 1000 mg twice daily. Warfarin."


def material(answers: dict[str, list[str]], task: str = "summary") -> Material:
    count = len(next(iter(answers.values())))
    cases = [
        Example(
            example_id=f"case-{i}", task=task, split="test", patient_ref=f"patient-{i}", document_refs=(f"d{i}",),
            specialty="x", prompt=PROMPT, answer=REFERENCE,
        )
        for i in range(count)
    ]  # fmt: skip
    by_arm = {
        arm: [
            Prediction(
                case, arm, text, 1, 1, True, False, False, 0.1, score(task, case.prompt, case.answer, text)
            )
            for case, text in zip(cases, texts, strict=True)
        ]
        for arm, texts in answers.items()
    }
    settings = EvaluationSettings(bootstrap_samples=400)
    return Material(
        cases, [], by_arm, {}, settings, "float32", lambda role, asked: [], lambda done, total: None
    )


def test_the_probe_is_registered():
    assert PROBES["clinical_facts"] is clinical_facts


def test_counts_are_those_worked_out_by_hand():
    facts = clinical_facts(material({"base": [GOOD, GOOD], "finetuned": [BAD, GOOD]}))
    ours = facts["arms"]["finetuned"]
    # BAD: knee pain (right), left (side), fever (negation), metformin (right), 1000 mg (dose), warfarin (invented)
    assert ours["by_contradiction"] | {"total": ours["contradictions"]} == {
        "negation": 1, "side": 1, "dose": 1, "frequency": 0, "value": 0, "person": 0, "total": 3,
    }  # fmt: skip
    assert (ours["stated"], ours["hallucinated"], ours["invented"]) == (6 + 5, 4, 1)
    assert ours["omitted"] == 3  # no fever, the right side, 500 mg
    assert facts["gate"] == pytest.approx(
        {
            "hallucination_rate": 4 / 11,
            "omission_rate": 3 / 10,
            "hallucinated_per_answer": 2.0,
            "contradictions_per_answer": 1.5,
            "omitted_per_answer": 1.5,
        }
    )
    assert facts["differences"]["base"]["contradictions_per_answer"]["difference"] == 1.5
    assert facts["cases"][0]["case"] == "case-0"


def test_a_worse_model_is_shown_to_be_worse_and_an_equal_one_is_not():
    worse = clinical_facts(material({"base": [GOOD] * 12, "finetuned": [BAD] * 9 + [GOOD] * 3}))
    found = worse["differences"]["base"]["contradictions_per_answer"]
    assert found["p_holm"] < 0.05 and found["low"] > 0
    equal = clinical_facts(material({"base": [GOOD, BAD] * 6, "finetuned": [BAD, GOOD] * 6}))
    assert equal["differences"]["base"]["contradictions_per_answer"]["p_holm"] > 0.05


def test_no_text_of_a_case_is_in_the_facts():
    facts = json.dumps(clinical_facts(material({"finetuned": [BAD, GOOD]}))).lower()
    assert not [word for word in ("knee", "metformin", "warfarin", "fever", "1000") if word in facts]


def test_tasks_with_codes_have_no_clinical_facts():
    assert clinical_facts(material({"base": ["I10: hypertension"]}, task="coding_cardiology")) is None


def test_the_page_lists_the_facts_in_the_words_of_the_answer():
    shown = material({"finetuned": [BAD, GOOD]})
    first = listed(shown, clinical_facts(shown)["cases"])[0]
    assert {f["text"] for f in first["contradicted"]} == {"Left knee", "fever", "1000 mg"}
    assert [f["text"] for f in first["invented"]] == ["Warfarin"]
    assert {f["text"] for f in first["missing"]} == {"Right knee", "fever", "500 mg"}


def test_marks_have_a_sign_and_a_title_and_text_is_escaped():
    html = str(marked_answer(PROMPT, REFERENCE, "Fever <script>& warfarin."))
    assert '<mark class="fact contradicted" title="' in html and "<b>✖</b>" in html and "<b>?</b>" in html
    assert "<script>" not in html and "&lt;" in html and "&amp;" in html


def test_marks_keep_the_text_as_it_was():
    import re

    html = str(marked_answer(PROMPT, REFERENCE, BAD))
    assert re.sub(r"<b>.</b> |<[^>]+>", "", html) == BAD
    reference = str(marked_reference(PROMPT, REFERENCE, BAD))
    assert re.sub(r"<b>.</b> |<[^>]+>", "", reference) == REFERENCE and "omitted" in reference


def test_words_that_the_reference_lacks_are_underlined():
    html = str(marked_answer("", "the knee is fine", "the hip is fine"))
    assert html == 'the <span class="other">hip</span> is fine'
