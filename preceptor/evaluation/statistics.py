"""Means and paired differences with intervals that respect patients, and their correction for many
comparisons.

Cases of one patient resemble each other, so patients are drawn, not cases (cluster bootstrap; Field & Welsh
2007, doi 10.1111/j.1467-9868.2007.00593.x). With few patients a percentile interval is too narrow; its ends
are moved outwards as Hesterberg 2015 does it (doi 10.1080/00031305.2015.1089789, "expanded percentile
interval").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

LEVEL = 0.95
CELLS = 2_000_000  # of drawn weights at a time: 16 MB however many patients there are


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean (or mean difference) with its 95 % interval.

    `p` is the two-sided bootstrap p-value of "no difference": 0.05 exactly where the interval touches 0. With
    fewer than two patients nothing is known about chance: the interval is all that is possible, and p is 1.
    """

    mean: float
    low: float
    high: float
    p: float
    cases: int
    patients: int


def macro_mean(
    values: Sequence[float],
    tasks: Sequence[str],
    patients: Sequence[str],
    *,
    samples: int,
    seed: int,
    bounds: tuple[float, float] = (0.0, 1.0),
) -> Estimate:
    """Estimate the mean over tasks of the task's mean over cases, so that a task with many cases has no more
    say.

    `values`, `tasks` and `patients` have one entry per case; `bounds` are the least and greatest possible
    value. A drawn sample in which a task has no case is drawn again.
    """
    import numpy as np

    names = sorted(set(tasks))
    people = sorted(set(patients))
    if not names:
        raise ValueError("no cases")
    task_of = np.array([names.index(task) for task in tasks])
    person_of = np.array([{p: i for i, p in enumerate(people)}[patient] for patient in patients])
    sums, counts = np.zeros((len(people), len(names))), np.zeros((len(people), len(names)))
    np.add.at(sums, (person_of, task_of), np.asarray(values, dtype=float))
    np.add.at(counts, (person_of, task_of), 1.0)
    mean = float((sums.sum(0) / counts.sum(0)).mean())
    if len(people) < 2:
        return Estimate(mean, *bounds, 1.0, len(values), len(people))
    drawn = _bootstrap(sums, counts, samples, np.random.default_rng(seed))
    low, high = expanded_percentiles(drawn, len(people))
    low, high = max(bounds[0], min(low, mean)), min(bounds[1], max(high, mean))
    return Estimate(mean, low, high, p_value(drawn, len(people)), len(values), len(people))


def paired_difference(
    ours: Sequence[float],
    theirs: Sequence[float],
    tasks: Sequence[str],
    patients: Sequence[str],
    *,
    samples: int,
    seed: int,
) -> Estimate:
    """Estimate by how much `ours` exceeds `theirs` on the same cases; see `macro_mean`."""
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    return macro_mean(differences, tasks, patients, samples=samples, seed=seed, bounds=(-1.0, 1.0))


def _bootstrap(sums: np.ndarray, counts: np.ndarray, samples: int, rng: np.random.Generator) -> np.ndarray:
    """Return `samples` macro means; `sums` and `counts` are `[patients, tasks]`."""
    import numpy as np

    people = len(sums)
    kept: list[np.ndarray] = []
    have = 0
    while have < samples:  # a task of a single patient is in 63 % of the draws, so this ends soon
        block = min(samples, max(1, CELLS // people))
        chosen = rng.integers(0, people, size=(block, people)) + people * np.arange(block)[:, None]
        weights = np.bincount(chosen.ravel(), minlength=block * people).reshape(block, people).astype(float)
        per_task = weights @ counts
        whole = (per_task > 0).all(axis=1)
        kept.append(((weights @ sums)[whole] / per_task[whole]).mean(axis=1))
        have += int(whole.sum())
    return np.concatenate(kept)[:samples]


def expanded_percentiles(drawn: np.ndarray, people: int) -> tuple[float, float]:
    import numpy as np
    from scipy.stats import norm, t

    tail = norm.cdf((people / (people - 1)) ** 0.5 * t.ppf((1 - LEVEL) / 2, people - 1))
    return float(np.quantile(drawn, tail)), float(np.quantile(drawn, 1 - tail))


def p_value(drawn: np.ndarray, people: int) -> float:
    """Invert the expanded interval: the level at which it would touch 0."""
    from scipy.stats import norm, t

    tail = (min(int((drawn <= 0).sum()), int((drawn >= 0).sum())) + 1) / (len(drawn) + 1)
    score = norm.ppf(min(tail, 0.5)) * ((people - 1) / people) ** 0.5
    return float(2 * t.cdf(score, people - 1))


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Adjust p-values for their number (Holm 1979): below 0.05 all together err in at most 5 of 100 evaluations."""
    adjusted: dict[str, float] = {}
    largest = 0.0
    for done, (name, p) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        largest = max(largest, min(1.0, (len(p_values) - done) * p))
        adjusted[name] = largest
    return adjusted
