"""McNemar's test: do two models differ in how often they are right on the same cases?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from preceptor.evaluation.proportions import sign_test


@dataclass(frozen=True, slots=True)
class McNemar:
    """`gained`: cases that only the first model has right; `lost`: only the second. `p` is two-sided."""

    gained: int
    lost: int
    p: float


def mcnemar(ours: Sequence[bool], theirs: Sequence[bool]) -> McNemar:
    """Test right and wrong on the same cases in the same order (McNemar 1947, doi 10.1007/BF02295996).

    Exact: under no difference each case on which the two disagree falls to either side like a fair coin, so the p-value
    is that of the binomial test; 1 where they never disagree. Cases count as independent of each other.
    """
    pairs = list(zip(ours, theirs, strict=True))
    gained = sum(a and not b for a, b in pairs)
    lost = sum(b and not a for a, b in pairs)
    return McNemar(gained, lost, sign_test(gained, lost))
