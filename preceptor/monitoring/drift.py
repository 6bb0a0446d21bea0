"""Population stability index: how far a distribution has moved.

PSI = Σ (p - q) · ln(p / q) over the bins, p and q the shares of reference and present. By convention below 0.1 is
no change, above 0.25 a major one (Siddiqi, Credit Risk Scorecards, 2006).
"""

from __future__ import annotations

import collections
from collections.abc import Hashable, Sequence

import numpy as np

_FLOOR = 0.5  # added to each bin's count, so that an empty bin has a finite weight


def stability(was: np.ndarray, now: np.ndarray) -> float:
    """The index of two rows of counts over the same bins."""
    p, q = (was + _FLOOR) / (was + _FLOOR).sum(), (now + _FLOOR) / (now + _FLOOR).sum()
    return float(((p - q) * np.log(p / q)).sum())


def psi(reference: Sequence[Hashable], present: Sequence[Hashable]) -> float:
    """The index over the categories of two samples; 0 for equal shares. Raises ValueError for an empty sample.

    >>> psi(["a", "b"] * 50, ["a", "b"] * 20)
    0.0
    """
    if not reference or not present:
        raise ValueError("both samples need at least one value")
    was, now = collections.Counter(reference), collections.Counter(present)
    bins = sorted(set(was) | set(now), key=str)
    value = stability(np.array([was[key] for key in bins]), np.array([now[key] for key in bins]))
    # The floor weighs more in the smaller sample; equal shares must still give zero.
    exact = all(was[key] * len(present) == now[key] * len(reference) for key in bins)
    return 0.0 if exact else round(value, 4)


def quantile_bins(reference: Sequence[float], bins: int = 5) -> list[float]:
    """The inner edges that cut a reference sample into equal shares."""
    ordered = sorted(reference)
    return sorted({ordered[min(len(ordered) - 1, len(ordered) * i // bins)] for i in range(1, bins)})


def binned(values: Sequence[float], edges: Sequence[float]) -> list[int]:
    """The bin of each value: how many edges lie at or below it."""
    return [sum(value >= edge for edge in edges) for value in values]
