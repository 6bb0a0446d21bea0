"""A group that does worse is found; one that does not is seldom accused."""

import numpy as np
import pytest

from preceptor.evaluation.fairness import fairness
from preceptor.evaluation.fairness.shortfall import shortfall


def test_by_hand_and_only_in_tasks_with_both_sides():
    found = shortfall(
        [1.0, 0.5, 1.0, 0.5, 0.0], ["a"] * 4 + ["b"], ["1", "2", "3", "4", "5"], [False, True, False, True, True],
        samples=500, seed=1,
    )  # fmt: skip
    assert found.mean == pytest.approx(0.5) and found.cases == 4
    assert shortfall([1.0, 0.0], ["a", "b"], ["1", "2"], [True, False], samples=50, seed=1) is None


def _shown(worse: float, times: int) -> float:
    hits = 0
    for n in range(times):
        rng = np.random.default_rng(n)
        inside = [i % 2 == 0 for i in range(60)]
        values = [float(rng.normal(0.5 - worse * i, 0.15)) for i in inside]
        e = shortfall(values, ["a"] * 60, [str(i) for i in range(60)], inside, samples=400, seed=n)
        hits += e.p < 0.05
    return hits / times


def test_planted_bias_is_found_and_none_is_seldom_claimed():
    assert _shown(0.25, 30) > 0.95
    assert _shown(0.0, 400) <= 0.08


def _material(worse: float, small: bool = False):
    """Sixty patients in two specialties of one task; `worse`: by how much cardiology scores lower."""
    from types import SimpleNamespace

    from preceptor.evaluation.facts import Prediction
    from preceptor.records import Example
    from preceptor.settings import EvaluationSettings

    rows = []
    rng = np.random.default_rng(3)
    for n in range(60):
        specialty = "cardiology" if n < (5 if small else 30) else "general"
        source = "The patient was seen in clinic for knee pain and will return in two weeks."
        case = Example(
            f"e-{n}", "summary", "test", f"p-{n}", (f"d-{n}",), specialty, f"Summarise.\n\n{source}", "a",
            sex=None if small else "female" if n % 2 else "male",
        )  # fmt: skip
        score = float(rng.normal(0.6, 0.1)) - worse * (specialty == "cardiology")
        rows.append(Prediction(case, "finetuned", "a", 1, 1, True, False, False, 0.0, {"rouge_l": score}))
    settings = EvaluationSettings(bootstrap_samples=500, counterfactuals={"cases": 0})
    return SimpleNamespace(by_arm={"finetuned": rows}, settings=settings)


def _page(facts) -> str:
    from preceptor.evaluation.report import template

    return template("sections/fairness.html.j2").render(facts=facts)


def test_the_probe_names_the_planted_group_and_the_page_says_so():
    facts = fairness(_material(0.3))
    rows = {r["group"]: r for r in facts["groups"]}
    assert rows["cardiology"]["worse"] and not rows["general"]["worse"]
    assert facts["gate"]["worst_group_gap"] == pytest.approx(rows["cardiology"]["gap"]["mean"])
    assert facts["gate"]["worst_group_gap"] == pytest.approx(0.3, abs=0.1)
    assert _page(facts).count("▼ worse") == 1
    assert {r["field"] for r in facts["groups"]} == {
        "specialty",
        "sex",
    }  # of one age band nothing is compared
    assert not rows["female"]["worse"] and not rows["male"]["worse"]


def test_nothing_is_concluded_of_a_small_group():
    facts = fairness(_material(0.5, small=True))
    assert facts["gate"] == {} and all(r["small"] and not r["worse"] for r in facts["groups"])
    assert _page(facts).count("too small") == 2
