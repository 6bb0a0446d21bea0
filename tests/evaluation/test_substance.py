"""Two answers of the same substance, by hand; and the parts that the probes of robustness, safety and fairness share."""

import pytest

from preceptor.evaluation.proportions import proportion
from preceptor.evaluation.sampling import drawn, one_of_each
from preceptor.evaluation.substance import agreement

CODING, DIFFERENTIAL = "coding_cardiology", "differential"


@pytest.mark.parametrize(
    ("task", "one", "other", "share", "changed"),
    [
        (CODING, "I10: pressure\nI50.23: oedema", "I10: hypertension", 2 / 3, True),
        (CODING, "I10: pressure\nI50.23: oedema", "i5023: BNP\nI10", 1.0, False),
        (CODING, "I10: pressure", "no code", 0.0, True),
        (DIFFERENTIAL, "1. Heart failure\n2. Pneumonia", "1. Pneumonia\n2. Heart failure", 1.0, True),
        (DIFFERENTIAL, "1. Heart failure\n2. Pneumonia", "1. Heart failure — for: oedema", 2 / 3, False),
        (DIFFERENTIAL, "1. Heart failure", "", 0.0, True),
        ("summary", "Chest pain. Takes metoprolol 25 mg.", "He takes metoprolol 25 mg for chest pain.", 1.0, False),
        ("summary", "He has chest pain.", "He has no chest pain.", 0.0, True),
        ("summary", "Metoprolol 25 mg.", "Metoprolol 50 mg.", 0.5, True),  # the drug is the same, the dose is not
    ],
)  # fmt: skip
def test_by_hand_whichever_comes_first(task, one, other, share, changed):
    for a, b in ((one, other), (other, one)):
        found = agreement(task, a, b)
        assert found.share == pytest.approx(share) and found.changed is changed


def test_nothing_to_compare_is_no_agreement():
    assert agreement(CODING, "no code", "none") is None
    assert agreement("summary", "Well said.", "Thank you.") is None
    assert agreement("summary", "", "") is None
    assert agreement("summary", "Well said.", "Well said.").changed is False


def test_exact_interval_by_hand():
    none = proportion(0, 10)
    assert none["share"] == 0 and none["low"] == 0 and none["high"] == pytest.approx(1 - 0.025**0.1)
    half = proportion(5, 10)
    assert (half["low"], half["high"]) == (pytest.approx(0.18709, abs=1e-5), pytest.approx(0.81291, abs=1e-5))
    assert proportion(0, 0) == {"hits": 0, "trials": 0, "share": None, "low": 0.0, "high": 1.0}


def test_cases_are_spread_over_tasks_and_patients(example_maker):
    cases = [example_maker(n, "test", "summary") for n in range(8)]
    cases += [example_maker(n, "test", "differential", patient="same") for n in range(3)]
    found = drawn(cases, 4, "1")
    assert found == drawn(reversed(cases), 4, "1") != drawn(cases, 4, "2")
    assert len({case.patient_ref for case in found}) == 4
    assert sorted(case.task for case in found) == ["differential", "summary", "summary", "summary"]
    assert len(drawn(cases, 99, "1")) == 11 and len(one_of_each(drawn(cases, 99, "1"))) == 9
