from __future__ import annotations

from collections import Counter

import pytest

from preceptor.errors import UsageError
from preceptor.training.recipe import Sampling
from preceptor.training.sampling import sampled

ROWS = [
    {
        "example_id": f"{task}-{n}",
        "task": task,
        "specialty": "general",
        "provenance": "clinical",
        "weight": 0.5,
    }
    for task in ("summary", "coding")
    for n in range(400)
]


def shown(**sampling):
    return Counter(row["task"] for row in sampled(ROWS, Sampling(**sampling), seed=1))


def test_without_weights_every_example_is_shown_once_in_its_order():
    assert sampled(ROWS, Sampling(), seed=1) == ROWS


def test_a_whole_weight_is_exact_and_a_broken_one_right_on_average():
    assert shown(emphasis=[{"task": "coding", "weight": 3}]) == {"summary": 400, "coding": 1200}
    found = shown(emphasis=[{"task": "coding", "weight": 2.25}, {"task": "summary", "weight": 0.5}])
    assert found["coding"] == pytest.approx(900, abs=40)
    assert found["summary"] == pytest.approx(200, abs=40)


def test_weights_are_multiplied_with_those_of_the_population():
    found = shown(population=True, emphasis=[{"task": "coding", "specialty": "general", "weight": 4}])
    assert found["coding"] == 800
    assert found["summary"] == pytest.approx(200, abs=40)


def test_the_same_seed_shows_the_same():
    weights = Sampling(emphasis=[{"task": "coding", "weight": 0.3}])
    assert sampled(ROWS, weights, seed=1) == sampled(ROWS, weights, seed=1) != sampled(ROWS, weights, seed=2)


@pytest.mark.parametrize("emphasis", [{"task": "no such", "weight": 2}, {"weight": 1e-9}])
def test_a_mistake_is_told_and_nothing_is_trained_on(emphasis):
    with pytest.raises(UsageError, match="sampling"):
        sampled(ROWS, Sampling(emphasis=[emphasis]), seed=1)
