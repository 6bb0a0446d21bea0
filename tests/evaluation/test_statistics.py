"""Intervals cover what they promise, respect patients, and are the same for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import bootstrap

from preceptor.evaluation.statistics import holm, macro_mean, paired_difference


def estimate(values, patients=None, tasks=None, samples=2000, seed=1, **more):
    n = len(values)
    return macro_mean(
        values,
        tasks or ["t"] * n,
        patients or [f"p{i}" for i in range(n)],
        samples=samples,
        seed=seed,
        **more,
    )


def test_the_same_seed_gives_the_same_interval():
    values = list(np.random.default_rng(0).random(30))
    assert estimate(values) == estimate(values)
    assert estimate(values) != estimate(values, seed=2)


def test_with_many_patients_the_interval_is_scipys():
    values = np.random.default_rng(3).random(400)
    ours = estimate(list(values), samples=20000)
    theirs = bootstrap(
        (values,), np.mean, n_resamples=20000, method="percentile", random_state=4
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=2e-3)


@pytest.mark.parametrize("people", [6, 12, 30])
def test_intervals_cover_the_truth_about_as_often_as_they_say(people):
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(400):
        means = rng.normal(0.5, 0.1, people)  # of patients, each with three cases
        values = np.clip(rng.normal(means.repeat(3), 0.05), 0, 1)
        patients = [f"p{i}" for i in range(people) for _ in range(3)]
        found = estimate(list(values), patients, samples=600)
        hits += found.low <= 0.5 <= found.high
    assert 0.91 <= hits / 400 <= 0.99


def test_cases_of_one_patient_are_not_taken_for_independent():
    rng = np.random.default_rng(6)
    values = list(rng.normal(0.5, 0.1, 8).repeat(10))
    clustered = estimate(values, [f"p{i}" for i in range(8) for _ in range(10)])
    apart = estimate(values)
    assert clustered.high - clustered.low > 2 * (apart.high - apart.low)


def test_every_task_counts_the_same_however_many_cases_it_has():
    found = estimate([1.0] * 9 + [0.0], tasks=["a"] * 9 + ["b"])
    assert found.mean == 0.5


def test_p_is_005_where_the_interval_touches_zero():
    values = np.random.default_rng(7).normal(0, 1, 15)
    bounds = (-9.0, 9.0)
    low = estimate(list(values), samples=20000, bounds=bounds).low
    touching = estimate(list(values - low), samples=20000, bounds=bounds)
    assert touching.low == pytest.approx(0.0, abs=1e-9) and touching.p == pytest.approx(0.05, abs=0.002)


def test_no_difference_is_found_rarely():
    rng = np.random.default_rng(8)
    false_alarms = 0
    for _ in range(300):
        a, b = rng.random(15), rng.random(15)
        p = paired_difference(
            list(a), list(b), ["t"] * 15, [str(i) for i in range(15)], samples=600, seed=1
        ).p
        false_alarms += p < 0.05
    assert false_alarms / 300 <= 0.09


def test_equal_arms_differ_by_nothing():
    same = [0.2, 0.4, 0.9]
    found = paired_difference(same, same, ["t"] * 3, ["a", "b", "c"], samples=500, seed=1)
    assert (found.mean, found.low, found.high, found.p) == (0.0, 0.0, 0.0, 1.0)


def test_one_patient_tells_nothing_about_chance():
    found = paired_difference([0.9, 0.8], [0.1, 0.2], ["t"] * 2, ["a", "a"], samples=500, seed=1)
    assert (found.low, found.high, found.p) == (-1.0, 1.0, 1.0)


def test_a_task_of_a_single_patient_is_in_every_sample():
    found = estimate([0.5, 0.6, 0.7, 1.0], ["a", "b", "c", "d"], ["x", "x", "x", "y"])
    assert found.mean == pytest.approx(0.8)
    assert 0.75 <= found.low < found.mean < found.high <= 0.85 + 1e-9


def test_holm_by_hand():
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "c": 0.06, "b": 0.06})
    assert holm({}) == {}
