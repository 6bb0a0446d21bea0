from __future__ import annotations

import pytest

from preceptor.synthesis.ablation import verdict


@pytest.mark.parametrize(
    ("with_rows", "without", "said"),
    [
        ([2.00, 2.01, 2.02], [2.10, 2.11, 2.11], "helps"),
        ([2.10, 2.12, 2.11], [2.00, 2.01, 2.01], "hurts"),
        ([2.10, 2.20], [2.00, 2.01], "cannot tell"),
        ([2.00, 2.10], [2.05, 2.04], "cannot tell"),
        ([1.00], [9.00], "cannot tell"),
        ([2.00, 2.00], [2.00, 2.00], "cannot tell"),
    ],
)
def test_a_gain_counts_where_it_stands_out_of_the_spread_of_seeds(with_rows, without, said):
    assert verdict(with_rows, without)["verdict"] == said


def test_gain_and_interval_are_those_of_the_differences():
    found = verdict([1.0, 1.0, 1.0], [1.1, 1.2, 1.3])
    assert found["gain"] == 0.2
    assert found["interval"] == pytest.approx(
        [0.2 - 4.303 * 0.1 / 3**0.5, 0.2 + 4.303 * 0.1 / 3**0.5], abs=1e-3
    )
