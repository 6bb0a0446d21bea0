"""Weights that bring the training examples toward the population that the model is for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

_ROUNDS = 50
_LOW, _HIGH = 1 / 3, 3.0  # no example counts for less, or for more: a few would carry all


def raked(groups: Sequence[Mapping[str, str]], population: Mapping[str, Mapping[str, float]]) -> list[float]:
    """Return a weight for each example, from its group in each field, so that the weighted shares of every field come
    to those of the population; on average 1.

    Raking, or iterative proportional fitting (Deming & Stephan 1940), with weights kept between a third and three. Groups
    that the population does not name keep the share they have, and the others share the rest. What is missing stays
    missing: no weight makes an example.
    """
    weights = [1.0] * len(groups)
    for _ in range(_ROUNDS if groups else 0):
        for field, wanted in population.items():
            have: dict[str, float] = defaultdict(float)
            for mine, weight in zip(groups, weights, strict=True):
                have[mine[field]] += weight
            named = sum(have[g] for g in wanted if g in have)
            asked = sum(share for g, share in wanted.items() if have.get(g))
            factor = {g: share / asked * named / have[g] for g, share in wanted.items() if have.get(g)}
            weights = [
                min(_HIGH, max(_LOW, weight * factor.get(mine[field], 1.0)))
                for mine, weight in zip(groups, weights, strict=True)
            ]
    mean = sum(weights) / len(weights) if weights else 1.0
    return [round(weight / mean, 4) for weight in weights]
