"""Against figures worked out by hand, or of printed tables."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preceptor.monitoring.chance import (
    dispersion_of_counts,
    dispersion_of_means,
    dispersion_of_shares,
    index_beyond,
    mean_beyond,
    share_above,
)
from preceptor.monitoring.drift import stability


def test_shares_are_the_tail_of_the_binomial_distribution():
    below = sum(math.comb(10, k) * 0.1**k * 0.9 ** (10 - k) for k in range(3))
    assert share_above(3, 10, 0.1) == pytest.approx(1 - below)
    assert share_above(0, 10, 0.1) == 1.0
    assert share_above(1, 10, 0.0) == 0.0


@given(st.integers(1, 60), st.floats(0.01, 0.9), st.floats(1, 5))
def test_what_varies_more_convinces_less(hits, truth, variance):
    if hits / 60 > truth:  # on the far side of the truth
        assert share_above(hits, 60, truth, variance) >= share_above(hits, 60, truth) - 1e-9


def test_means_are_students_t():
    assert mean_beyond(2.262, 0.0, 1.0, 10) == pytest.approx(0.025, abs=1e-4)  # 9 degrees of freedom
    assert mean_beyond(3.262, 1.0, 1.0, 10) == pytest.approx(0.025, abs=1e-4)
    assert mean_beyond(0.5, 0.4, 0.0, 10) == 0.0 and mean_beyond(0.3, 0.4, 0.0, 10) == 1.0


def test_an_index_of_equal_distributions_is_a_chi_square():
    unit = 1 / 100 + 1 / 400
    assert index_beyond(5.991 * unit, 3, 100, 400, 0.0, 1.0) == pytest.approx(0.05, abs=1e-4)
    assert (
        index_beyond(5.991 * unit, 3, 100, 400, 0.1, 1.0) > 0.5
    )  # far more likely where a shift of 0.1 is borne
    assert index_beyond(2 * 5.991 * unit, 3, 100, 400, 0.0, 2.0) == pytest.approx(0.05, abs=1e-4)
    assert index_beyond(0.3, 1, 100, 400, 0.1, 1.0) == 1.0


def test_the_index_of_samples_from_one_distribution_has_the_level_it_says():
    random, shares = np.random.default_rng(5), [0.4, 0.3, 0.2, 0.1]
    was, now = random.multinomial(2000, shares, 800), random.multinomial(200, shares, 800)
    found = [
        index_beyond(stability(a, b), 4, b.sum(), a.sum(), 0.0, 1.0) for a, b in zip(was, now, strict=True)
    ]
    assert np.mean(np.array(found) < 0.05) == pytest.approx(0.05, abs=0.02)


def test_dispersion_is_one_for_even_days_and_grows_with_uneven_ones():
    assert dispersion_of_shares([5, 5, 5], [10, 10, 10]) == 1.0
    # Of p = 1/2 each day adds (x - 5)^2 / 2.5: 10 + 10 + 0, over two degrees of freedom.
    assert dispersion_of_shares([0, 10, 5], [10, 10, 10]) == pytest.approx(10.0)
    assert dispersion_of_shares([3, 4], [10, 10]) == 1.0  # two days tell nothing
    # Means 0, 2, 4 of three values each around 2: 3 * (4 + 0 + 4) = 24; the variance of all is 26/8; 24 / 3.25 / 2.
    days = [[-0.5, 0, 0.5], [1.5, 2, 2.5], [3.5, 4, 4.5]]
    variance = float(np.var(np.concatenate(days), ddof=1))
    assert dispersion_of_means(days) == pytest.approx(24 / variance / 2)
    assert dispersion_of_counts(np.array([[5, 5], [5, 5], [5, 5]])) == 1.0
    # Each day 10 of 30; expected 5 and 5; (25 + 25) / 5 twice, 0 once: 20 over two degrees of freedom.
    assert dispersion_of_counts(np.array([[10, 0], [0, 10], [5, 5]])) == pytest.approx(10.0)
