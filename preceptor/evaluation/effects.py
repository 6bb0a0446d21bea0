"""How large a paired difference is beside what varies, and how many patients would show one of a given size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from preceptor.evaluation.statistics import macro_mean

POWER = 0.8
MOST = 1_000_000  # patients; beyond, the question is not to be answered by more of them


def effect_size(
    differences: Sequence[float], tasks: Sequence[str], patients: Sequence[str], *, samples: int, seed: int
) -> dict[str, Any]:
    """Return Cliff's delta of pairs with its 95 % interval, and Cohen's d of pairs.

    Delta is the share of cases won less the share lost, on average over tasks (Cliff 1993, doi 10.1037/0033-2909.114.3.494,
    the within-pair form), its interval by the bootstrap over patients. `d` is the mean difference in standard deviations
    of a case's difference within its task (Cohen 1988, section 2.3.5); None where nothing varies.
    """
    signs = [float((d > 0) - (d < 0)) for d in differences]
    delta = macro_mean(signs, tasks, patients, samples=samples, seed=seed, bounds=(-1.0, 1.0))
    spread = _within_tasks(differences, tasks)
    by_task = _split(differences, tasks)
    mean = sum(sum(rows) / len(rows) for rows in by_task) / len(by_task)
    return {
        "delta": delta.mean,
        "low": delta.low,
        "high": delta.high,
        "won": sum(s > 0 for s in signs),
        "lost": sum(s < 0 for s in signs),
        "d": mean / spread if spread else None,
    }


def planning(
    differences: Sequence[float],
    tasks: Sequence[str],
    patients: Sequence[str],
    *,
    relevant: float,
    comparisons: int = 1,
) -> dict[str, Any]:
    """Return how many patients would show a difference of `relevant` with 80 % power, and the least that these show.

    The variance is that of patients' contributions to the macro mean (linearised, as for a ratio of totals: Cochran 1977,
    section 6.3 and chapter 9A), so cases of one patient count for as much as they tell. `design_effect` is by how
    much that exceeds the variance of as many unrelated cases (Kish 1965). Two-sided, at 0.05 over the number of
    `comparisons` (Bonferroni, a little stricter than Holm). The mix of tasks and cases a patient is taken to stay. With
    fewer than two patients, or where nothing varies, `patients_needed` and `detectable` are None.
    """
    import numpy as np

    people = sorted(set(patients))
    n = len(people)
    d = np.asarray(differences, dtype=float)
    share = np.zeros(len(d))  # each case's contribution to the mean's deviation
    names = sorted(set(tasks))
    for task in names:
        here = np.array([t == task for t in tasks])
        share[here] = (d[here] - d[here].mean()) / here.sum() / len(names)
    place = {patient: i for i, patient in enumerate(people)}
    by_patient = np.bincount([place[p] for p in patients], weights=share, minlength=n)
    clustered, single = float((by_patient**2).sum()), float((share**2).sum())
    found: dict[str, Any] = {
        "relevant": relevant,
        "power": POWER,
        "alpha": 0.05 / comparisons,
        "patients": n,
        "design_effect": clustered / single if single else None,
        "patients_needed": None,
        "cases_needed": None,
        "detectable": None,
    }
    if n < 2 or clustered <= 1e-18:
        return found
    variance = clustered * n * n / (n - 1)  # of one patient's contribution, n times it
    needed = patients_needed(variance, relevant, 0.05 / comparisons)
    return {
        **found,
        "patients_needed": needed,
        "cases_needed": None if needed is None else -(-needed * len(d) // n),
        "detectable": _multiple(n, 0.05 / comparisons) * (variance / n) ** 0.5,
    }


def patients_needed(variance: float, difference: float, alpha: float = 0.05) -> int | None:
    """Return the least n with (t[1 - alpha/2] + t[power]) * sqrt(variance / n) <= difference, t of n - 1 degrees.

    None beyond a million.
    """
    low, high = 2, 2
    while _multiple(high, alpha) * (variance / high) ** 0.5 > difference:
        low, high = high, high * 2
        if high > MOST:
            return None
    while low < high:
        middle = (low + high) // 2
        if _multiple(middle, alpha) * (variance / middle) ** 0.5 > difference:
            low = middle + 1
        else:
            high = middle
    return low


def _multiple(n: int, alpha: float) -> float:
    from scipy.stats import t

    return float(t.ppf(1 - alpha / 2, n - 1) + t.ppf(POWER, n - 1))


def _split(values: Sequence[float], tasks: Sequence[str]) -> list[list[float]]:
    by_task: dict[str, list[float]] = {}
    for value, task in zip(values, tasks, strict=True):
        by_task.setdefault(task, []).append(value)
    return list(by_task.values())


def _within_tasks(values: Sequence[float], tasks: Sequence[str]) -> float:
    """The standard deviation within tasks, pooled so that each task counts the same."""
    groups = [rows for rows in _split(values, tasks) if len(rows) > 1]
    if not groups:
        return 0.0
    variances = []
    for rows in groups:
        mean = sum(rows) / len(rows)
        variances.append(sum((row - mean) ** 2 for row in rows) / (len(rows) - 1))
    return float((sum(variances) / len(variances)) ** 0.5)
