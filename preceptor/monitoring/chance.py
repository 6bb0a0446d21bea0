"""How often chance alone would make a window look at least this bad, if the truth were still within bounds.

Each function returns such a probability, one-sided. Days differ more than answers drawn at random would (weekdays, wards,
who is on duty), so the variance is multiplied by a dispersion measured on the reference's own days, as quasi-likelihood does it
(McCullagh and Nelder, Generalized Linear Models, 2nd ed. 1989, section 4.5; Laney 2002 for control charts of proportions).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np


def share_above(hits: float, n: int, truth: float, variance: float = 1.0) -> float:
    """Of `n` answers `hits` or more, where the truth is `truth`; `variance` is that of the estimate over that of n draws.

    The binomial tail, as a beta function, which also takes the counts that an inflated variance leaves.
    """
    from scipy.special import betainc

    if hits <= 0:
        return 1.0
    if truth <= 0:
        return 0.0
    if truth >= 1:
        return 1.0
    size, seen = n / variance, hits / variance
    return float(betainc(seen, size - seen + 1, truth))


def mean_beyond(difference: float, bound: float, error: float, n: int) -> float:
    """A difference of means, if it were `bound` in truth; `error` is its standard error. Student's t with n - 1."""
    from scipy.special import stdtr

    if error <= 0:
        return 0.0 if difference > bound else 1.0
    return float(stdtr(max(1, n - 1), -(difference - bound) / error))


def index_beyond(psi: float, bins: int, n: float, m: float, bound: float, dispersion: float) -> float:
    """A stability index, if it were `bound` in truth. Of samples of n and m from one distribution it is (1/n + 1/m) times a
    chi-square of bins - 1 (Yurdakul, Statistical Properties of Population Stability Index, 2018); non-central otherwise."""
    from scipy.special import chndtr

    if bins < 2:
        return 1.0
    unit = dispersion * (1 / n + 1 / m)
    return float(np.clip(1 - chndtr(psi / unit, bins - 1, bound / unit), 0, 1))


def dispersion_of_shares(hits: Sequence[int], sizes: Sequence[int]) -> float:
    """By how much shares of days vary more than draws would: Pearson's chi-square a degree of freedom, at least 1."""
    pairs = [(x, n) for x, n in zip(hits, sizes, strict=True) if n]
    total = sum(n for _, n in pairs)
    p = sum(x for x, _ in pairs) / total if total else 0.0
    if len(pairs) < 3 or not 0 < p < 1:
        return 1.0
    return max(1.0, sum((x - n * p) ** 2 / (n * p * (1 - p)) for x, n in pairs) / (len(pairs) - 1))


def dispersion_of_means(days: Sequence[Sequence[float]]) -> float:
    """The same for means of days."""
    some = [np.asarray(day) for day in days if len(day)]
    if len(some) < 3:
        return 1.0
    values = np.concatenate(some)
    variance = float(values.var(ddof=1))
    if variance <= 0:
        return 1.0
    between = sum(len(day) * (day.mean() - values.mean()) ** 2 for day in some)
    return max(1.0, float(between) / variance / (len(some) - 1))


def dispersion_of_counts(days: np.ndarray) -> float:
    """The same for rows of counts, one a day: each day's chi-square against all days, a degree of freedom."""
    days = days[days.sum(axis=1) > 0]
    all_days = days.sum(axis=0)
    bins = np.flatnonzero(all_days)
    if len(days) < 3 or len(bins) < 2:
        return 1.0
    expected = days.sum(axis=1, keepdims=True) * (all_days / all_days.sum())[None, :]
    chi = (((days - expected) ** 2)[:, bins] / expected[:, bins]).sum()
    return max(1.0, float(chi) / ((len(days) - 1) * (len(bins) - 1)))


def error_of_mean(values: Sequence[float], dispersion: float) -> float:
    """The variance of a mean; infinite for fewer than two values."""
    if len(values) < 2:
        return math.inf
    return dispersion * float(np.var(values, ddof=1)) / len(values)
