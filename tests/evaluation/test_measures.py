"""McNemar, calibration, coding and reasoning: hand-computed cases, and scikit-learn's figures."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preceptor.evaluation.calibration import calibration, probabilities
from preceptor.evaluation.coding_measures import agreement, coding_facts, per_code
from preceptor.evaluation.mcnemar import mcnemar
from preceptor.evaluation.reasoning import declines, findings_for, in_top, reasoning_facts

CODES = ["I10", "I50.23", "I48.91", "E11.9", "J18.9"]
SETS = st.frozensets(st.sampled_from(CODES))


def test_mcnemar_is_the_binomial_test_on_the_cases_that_differ():
    ours = [True] * 6 + [False] + [True] * 10
    theirs = [False] * 6 + [True] + [True] * 10
    found = mcnemar(ours, theirs)
    assert (found.gained, found.lost) == (6, 1)
    assert found.p == pytest.approx(2 * (1 + 7) / 2**7)  # P(0 or 1 of 7), both sides
    assert mcnemar([True, False], [True, False]).p == 1.0
    assert mcnemar(theirs, ours).p == found.p


def test_calibration_by_hand():
    # two cases of confidence .9 (one right), one of .6 (right): |.5 - .9| * 2/3 + |1 - .6| * 1/3
    found = calibration([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6]], [0, 1, 1])
    assert found.ece == pytest.approx(0.4)
    assert found.brier == pytest.approx((0.02 + 1.62 + 0.32) / 3)
    assert [one.cases for one in found.bins] == [1, 2]


def test_a_sure_and_right_model_is_perfectly_calibrated():
    found = calibration([[1.0, 0.0], [0.0, 1.0]], [0, 1])
    assert found.ece == 0.0 and found.brier == 0.0


def test_probabilities_are_shares_of_the_likelihood():
    assert probabilities([-1000.0, -1000.0]) == [0.5, 0.5]
    assert probabilities([0.0, -1.0986122886681098]) == pytest.approx([0.75, 0.25])


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(SETS, SETS), min_size=1, max_size=12))
def test_coding_agrees_with_scikit_learn(pairs):
    from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score
    from sklearn.preprocessing import MultiLabelBinarizer

    wanted, found = [w for w, _ in pairs], [f for _, f in pairs]
    got = agreement(wanted, found)
    binary = MultiLabelBinarizer(classes=CODES).fit(wanted)
    y, z = binary.transform(wanted), binary.transform(found)
    seen = [place for place, code in enumerate(CODES) if any(code in codes for codes in wanted + found)]
    assert got.exact == pytest.approx(accuracy_score(y, z), abs=1e-6)
    micro = {"average": "micro", "zero_division": 0}
    assert got.micro_precision == pytest.approx(precision_score(y, z, **micro), abs=1e-6)
    assert got.micro_recall == pytest.approx(recall_score(y, z, **micro), abs=1e-6)
    assert got.micro_f1 == pytest.approx(f1_score(y, z, **micro), abs=1e-6)
    assert got.macro_cases == pytest.approx(f1_score(y, z, average="samples", zero_division=1), abs=1e-6)
    if seen:
        macro = f1_score(y, z, labels=seen, average="macro", zero_division=0)
        assert got.macro_codes == pytest.approx(macro, abs=1e-6)
    for row in per_code(wanted, found):
        place = CODES.index(row.code)
        assert row.f1 == pytest.approx(f1_score(y[:, place], z[:, place], zero_division=0), abs=1e-6)


def test_codes_that_are_not_in_the_list_or_cannot_be_billed_are_counted():
    facts = coding_facts(
        ["Shortness of breath, BNP 1,800."],
        ["I50.23: BNP 1,800"],
        ["I50.23: shortness of breath\nI50.2: fever\nI50.99: BNP 1,800"],
    )
    assert facts["assigned"] == 3
    assert facts["invalid_rate"] == pytest.approx(1 / 3)  # I50.99
    assert facts["not_billable_rate"] == pytest.approx(1 / 3)  # I50.2 has finer codes
    assert facts["evidence_support"] == pytest.approx(2 / 3)
    assert facts["codes"]["micro_f1"] == pytest.approx(0.5)
    assert facts["billable"]["micro_f1"] == 1.0
    assert facts["categories"]["exact"] == 1.0


def test_an_answer_without_codes_has_no_rates():
    facts = coding_facts(["x"], ["I10: x"], ["I cannot say"])
    assert facts["invalid_rate"] is None and facts["without_code"] == 1


REFERENCE = "1. Pulmonary embolism — for: flight; against: none\n2. Pneumonia — for: fever; against: none"


def test_the_leading_diagnosis_is_looked_for_in_the_first_k():
    answer = "1. Pneumonia — for: fever\n2. Asthma\n3. Acute pulmonary embolism"
    assert not in_top(REFERENCE, answer, 1)
    assert not in_top(REFERENCE, answer, 2)
    assert in_top(REFERENCE, answer, 3)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("1. HF — for: oedema, BNP 1,800; against: none", ["oedema", "BNP 1,800"]),
        ("1. HF — for: oedema — against: dry lungs", ["oedema"]),
        ("1. HF — for: none; against: dry lungs", []),
        ("1. Heart failure", []),
    ],
)
def test_findings_for_a_diagnosis(answer, expected):
    assert findings_for(answer) == expected


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("I cannot determine a diagnosis from this document.", True),
        ("There is insufficient information in the note.", True),
        ("No diagnosis can be made.", True),
        ("1. Pneumonia — for: patient cannot give a history", False),
        ("Pneumonia is likely.", False),
        ("", False),
    ],
)
def test_which_answers_decline(answer, expected):
    assert declines(answer) is expected


def test_abstention_is_counted_where_it_is_right_and_where_it_is_wrong():
    decline = "There is not enough information."
    facts = reasoning_facts(
        ["Fever.", "Fever.", "Fever."],
        [decline, REFERENCE, REFERENCE],
        [decline, decline, "1. Pulmonary embolism — for: fever, cough"],
    )
    assert facts["abstained"] == {"should": 1, "rightly": 1, "should_not": 2, "wrongly": 1, "empty": 0}
    assert facts["top"] == {"1": 0.5, "3": 0.5, "5": 0.5}
    assert facts["findings"] == 2 and facts["supported"] == 0.5
