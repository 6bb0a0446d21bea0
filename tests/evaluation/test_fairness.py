"""A group that does worse is found; one that does not is seldom accused."""

import numpy as np
import pytest

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
