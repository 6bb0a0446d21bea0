from __future__ import annotations

import math

import pytest

from preceptor.monitoring.drift import binned, psi, quantile_bins


def test_psi_agrees_with_the_formula():
    was, now = ["a"] * 80 + ["b"] * 20, ["a"] * 50 + ["b"] * 50
    p, q = (80.5 / 101, 20.5 / 101), (50.5 / 101, 50.5 / 101)
    assert psi(was, now) == pytest.approx(
        sum((a - b) * math.log(a / b) for a, b in zip(p, q, strict=True)), abs=1e-4
    )


def test_equal_shares_give_zero_and_a_new_category_a_large_value():
    assert psi(["a", "b"] * 30, ["a", "b"] * 3) == 0
    assert psi(["a"] * 100, ["b"] * 100) > 1


def test_quantile_bins_cut_into_equal_shares():
    edges = quantile_bins(list(range(100)))
    assert [binned(range(100), edges).count(i) for i in range(5)] == [20] * 5
