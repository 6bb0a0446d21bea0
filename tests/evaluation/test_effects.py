from __future__ import annotations

import numpy as np
import pytest

from preceptor.evaluation.effects import effect_size, patients_needed, planning


def test_effect_sizes_by_hand():
    found = effect_size([0.1, 0.3, -0.2, 0.0], ["t"] * 4, list("abcd"), samples=500, seed=1)
    assert (found["won"], found["lost"], found["delta"]) == (2, 1, 0.25)
    assert found["low"] <= 0.25 <= found["high"]
    # mean 0.05, deviations 0.05, 0.25, -0.25, -0.05: variance 0.13 / 3
    assert found["d"] == pytest.approx(0.05 / (0.13 / 3) ** 0.5)
    assert effect_size([0.2, 0.2], ["t"] * 2, ["a", "b"], samples=100, seed=1)["d"] is None


def test_the_number_of_patients_is_that_of_the_paired_t_test():
    # G*Power, paired t test, d = 0.5, alpha 0.05 two-sided, power 0.80: 34; for d = 0.2: 199
    assert patients_needed(1.0, 0.5) == pytest.approx(34, abs=1)
    assert patients_needed(1.0, 0.2) == pytest.approx(199, abs=1)
    assert patients_needed(1.0, 1e-6) is None


def test_cases_of_a_patient_that_say_the_same_count_once():
    values = list(np.random.default_rng(1).normal(0, 0.1, 40))
    once = planning(values, ["t"] * 40, [str(i) for i in range(40)], relevant=0.03)
    thrice = planning(values * 3, ["t"] * 120, [str(i) for i in range(40)] * 3, relevant=0.03)
    assert once["design_effect"] == pytest.approx(1.0) and thrice["design_effect"] == pytest.approx(3.0)
    assert thrice["patients_needed"] == once["patients_needed"]
    assert thrice["cases_needed"] == 3 * once["patients_needed"]
    stricter = planning(values, ["t"] * 40, [str(i) for i in range(40)], relevant=0.03, comparisons=5)
    assert stricter["patients_needed"] > once["patients_needed"]


def test_nothing_is_planned_from_one_patient_or_no_spread():
    assert planning([0.1, 0.2], ["t"] * 2, ["a", "a"], relevant=0.03)["patients_needed"] is None
    assert planning([0.1, 0.1], ["t"] * 2, ["a", "b"], relevant=0.03)["detectable"] is None


def test_planned_patients_see_the_difference_four_times_in_five():
    rng = np.random.default_rng(2)
    variance = 0.1**2 + 0.1**2 / 3  # of patients' means of three cases
    n = patients_needed(variance, 0.05)
    assert n is not None
    x = rng.normal(0.05, variance**0.5, (4000, n))
    t = x.mean(1) / (x.std(1, ddof=1) / n**0.5)
    from scipy.stats import t as student

    assert np.mean(t > student.ppf(0.975, n - 1)) == pytest.approx(0.8, abs=0.03)
