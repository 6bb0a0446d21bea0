"""Every measure agrees with the reference library, or with a value worked out by hand."""

from __future__ import annotations

import pytest

from preceptor.evaluation.coding import evidence_validity, parse_codes, score_coding
from preceptor.evaluation.differential import (
    parse_differential,
    reciprocal_rank,
    score_differential,
    soft_recall,
    token_f1,
)
from preceptor.evaluation.faithfulness import heading_share, number_faithfulness, term_faithfulness
from preceptor.evaluation.metrics import METRICS, PRIMARY, primary, score
from preceptor.evaluation.overlap import rouge
from preceptor.settings import TASKS

TEXTS = [
    ("The patient was seen for chest pain.", "Patient seen for pain in the chest"),
    ("", "something"),
    ("Data: anxious.\nPlan: weekly sessions", "Plan: weekly sessions\nData: anxious."),
    ("Ödem an den Beinen, 3+", "oedema of legs 3+"),
    ("one two three four five", "five four three two one"),
]


@pytest.mark.parametrize(("reference", "answer"), TEXTS)
def test_rouge_equals_rouge_score(reference, answer):
    from rouge_score.rouge_scorer import RougeScorer

    theirs = RougeScorer(["rouge1", "rouge2", "rougeL"]).score(reference, answer)
    ours = rouge(reference, answer)
    for name, key in (("rouge_1", "rouge1"), ("rouge_2", "rouge2"), ("rouge_l", "rougeL")):
        assert ours[name] == pytest.approx(theirs[key].fmeasure, abs=1e-6)


def test_code_f1_equals_scikit_learn():
    from sklearn.metrics import f1_score
    from sklearn.preprocessing import MultiLabelBinarizer

    pairs = [
        (["I50.23", "I10"], ["I50.23", "E11.9"]),
        (["I10"], []),
        ([], []),
        (["S72.001A", "M17.11", "I10"], ["M17.11", "S72.001A", "I10"]),
        (["I50.23"], ["I50.22", "I50.23", "I50.9", "I10"]),
    ]
    codes = MultiLabelBinarizer().fit([code for pair in pairs for code in pair])
    theirs = [
        f1_score(codes.transform([a]), codes.transform([b]), average="samples", zero_division=1.0)
        for a, b in pairs
    ]
    ours = [score_coding("", "\n".join(a), "\n".join(b))["code_f1"] for a, b in pairs]
    assert ours == pytest.approx(theirs, abs=1e-6)


def test_soft_recall_equals_the_best_assignment_found_by_trying_all():
    from itertools import permutations

    reference = ["Acute heart failure", "Pulmonary embolism", "Community acquired pneumonia"]
    found = ["Pneumonia", "Heart failure", "Acute pulmonary oedema", "Pulmonary embolism"]
    best = max(
        sum(token_f1(want, got) for want, got in zip(reference, order, strict=True))
        for order in permutations(found[:3])
    )
    assert soft_recall(reference, found) == pytest.approx(best / 3, abs=1e-6)


@pytest.mark.parametrize(
    ("answer", "codes"),
    [
        ("I50.23: worsening oedema; BNP 1,800\nI10: pressure 160", ["I50.23", "I10"]),
        ("1. I50.23 - acute on chronic heart failure", ["I50.23"]),
        ("- **I5023**: text", ["I50.23"]),
        ("i10: text", ["I10"]),
        ("The codes are I50.23 and M17.11.", ["I50.23", "M17.11"]),
        ("ICD-10: S72.001A", ["S72.001A"]),
        ("Vitamin B12 is low, T12 fracture, HbA1c 7.2", []),
        ("A1C was 7.2", []),
        ("I50.23: old code I50.22 was wrong", ["I50.23", "I50.22"]),
        ("No codes.", []),
        ("M1A.9XX0: gout", ["M1A.9XX0"]),
        ("I10 hypertension", ["I10"]),
    ],
)
def test_codes_are_read_and_clinical_words_are_not(answer, codes):
    assert list(parse_codes(answer).codes) == codes


def test_evidence_counts_only_if_it_stands_in_the_document():
    prompt = "BNP was 1,800.\nShortness of  breath on exertion."
    answer = 'I50.23: "shortness of breath"; BNP was 1,800; orthopnoea; a'
    assert evidence_validity(prompt, answer) == pytest.approx(2 / 4)
    assert evidence_validity(prompt, "I50.23") is None


def test_near_codes_count_in_the_category_only():
    scored = score_coding("", "I50.23: x", "I50.22: x")
    assert (scored["code_f1"], scored["category_f1"]) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        ("1. Pulmonary embolism — for: pain, flight; against: none\n2. Pneumonia — for: fever", None),
        ("1) Pulmonary embolism - pleuritic pain\n2) Pneumonia (fever)", None),
        ("Here is the list:\n- Pulmonary embolism: pain\n- **Pneumonia**", None),
        ("Pulmonary embolism\nPneumonia", None),
        ("", []),
    ],
)
def test_diagnoses_are_read_without_their_arguments(answer, names):
    assert parse_differential(answer) == (["Pulmonary embolism", "Pneumonia"] if names is None else names)


def test_rank_of_the_leading_diagnosis():
    assert reciprocal_rank(["Heart failure"], ["Pneumonia", "Acute heart failure"]) == 0.5
    assert reciprocal_rank(["Heart failure"], ["Pneumonia"]) == 0.0


def test_neither_a_long_list_nor_one_repeated_diagnosis_gains():
    reference = ["Heart failure", "Pneumonia"]
    assert soft_recall(reference, ["Gout", "Asthma", "Heart failure", "Pneumonia"]) == 0.0
    assert soft_recall(reference, ["Heart failure", "Heart failure"]) == 0.5
    assert soft_recall(reference, ["Pneumonia", "Heart failure"]) == 1.0


def test_word_f1_by_hand():
    assert token_f1("failure of the heart", "acute heart failure") == pytest.approx(2 * 2 / (2 + 3))
    scored = score_differential("1. Heart failure\n2. Gout", "1. Gout\n2. Heart failure")
    assert scored["differential_token_f1"] == 1.0 and scored["differential_rr"] == 0.5


def test_numbers_that_are_not_in_the_document_count_against_an_answer():
    prompt = "BNP 1,800 pg/ml, EF 35%, dose 2.5 mg"
    assert number_faithfulness(prompt, "1. BNP 1800\n2. EF 35 %, given 5 mg") == pytest.approx(2 / 3)
    assert number_faithfulness(prompt, "no figures") is None


def test_terms_and_headings_by_hand():
    assert term_faithfulness("metoprolol was started", "metoprolol and warfarin") == 0.5
    assert heading_share("Data: a\nAssessment: b\nPlan: c", "**Data**: x\nPlan: y") == pytest.approx(2 / 3)


@pytest.mark.parametrize("task", TASKS)
def test_every_task_scores_a_perfect_answer_1_and_an_empty_one_0(task):
    reference = {
        "differential": "1. Heart failure — for: oedema\n2. Gout — for: pain",
        "coding_cardiology": "I10: pressure 160",
        "coding_orthopaedics": "M17.11: knee pain",
    }.get(task, "Plan: rest for 3 days.")
    perfect, empty = (score(task, "the document", reference, answer) for answer in (reference, ""))
    assert perfect[PRIMARY[task]] == 1.0 and empty[PRIMARY[task]] == 0.0
    for scores in (perfect, empty):
        assert set(scores) <= set(METRICS) and all(v is None or 0 <= v <= 1 for v in scores.values())


def test_a_use_case_that_a_hospital_declared_is_measured_as_text():
    found = score("our_own", "The knee hurts.", "Knee pain.", "Knee pain.")
    assert primary("our_own") == "rouge_l"
    assert found["rouge_l"] == 1.0
