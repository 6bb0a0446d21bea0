"""How a window is read: its value, the score that a rule bounds, and the chance that it is nothing.

Each function makes a reader of a kind: shares, means, quantiles, stability indices, gaps between groups. Nothing here knows of
alarms: those are in `alarms`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from preceptor.monitoring import chance
from preceptor.monitoring.drift import quantile_bins, stability
from preceptor.monitoring.rules import Rule
from preceptor.monitoring.windows import Day, Sample
from preceptor.serving.traffic import BUCKETS, Served

TOO_FEW, NO_REFERENCE = "too few", "no reference"
ANSWERED = ("stop", "length", "disconnected", "timeout", "error")  # a version was at work
WRITTEN = ("stop", "length")


@dataclass(frozen=True, slots=True)
class Reading:
    """A measure over a window.

    `value` and `reference` are for people (a share, seconds, a mean); `score` is what the rule's limit and clear bound; `chance`
    is how often it would be so far off by chance if the truth were at `clear`. `n`: what it was measured on. `missing` says
    why there is no score, and is empty where there is one; `detail` names what is worst.
    """

    n: int
    value: float | None = None
    reference: float | None = None
    score: float | None = None
    chance: float | None = None
    missing: str = ""
    detail: str = ""


T = TypeVar("T")
Read = Callable[[Sample, Sample | None, Rule], Reading]


def _daily(of: Callable[[Day], T]) -> Callable[[Day], T]:
    """The same, worked out once for a day: a reference's days are looked at again with every window."""
    found: WeakKeyDictionary[Day, T] = WeakKeyDictionary()

    def once(day: Day) -> T:
        if day not in found:
            found[day] = of(day)
        return found[day]

    return once


def share(counted: Callable[[Served], bool], among: Callable[[Served], bool]) -> Read:
    """The share of answers `counted`, of those `among`: by itself, or its rise above the reference's."""

    @_daily
    def counts(day: Day) -> tuple[int, int]:
        of = [r for r in day.requests if among(r)]
        return sum(counted(r) for r in of), len(of)

    def read(window: Sample, reference: Sample | None, rule: Rule) -> Reading:
        hits, n = _summed(counts(day) for day in window.days)
        value = hits / n if n else None
        before = [counts(day) for day in reference.days] if reference else []
        was, m = _summed(before)
        usual = was / m if m else None
        if n < rule.minimum:
            return Reading(n, value, usual, missing=TOO_FEW)
        assert value is not None
        if not rule.relative:
            return Reading(n, value, usual, value, chance.share_above(hits, n, rule.clear))
        if usual is None or m < rule.minimum:
            return Reading(n, value, usual, missing=NO_REFERENCE)
        spread = chance.dispersion_of_shares([x for x, _ in before], [size for _, size in before])
        truth = (was + 0.5) / (m + 1) + rule.clear  # a reference without any hit is not known to have none
        p = chance.share_above(hits, n, truth, spread * (1 + n / m))
        return Reading(n, value, usual, value - usual, p)

    return read


def mean(values: Callable[[Day], list[float]]) -> Read:
    """How far a mean has dropped below the reference's."""

    def read(window: Sample, reference: Sample | None, rule: Rule) -> Reading:
        now = [v for day in window.days for v in values(day)]
        days = [values(day) for day in reference.days] if reference else []
        was = [v for day in days for v in day]
        value = float(np.mean(now)) if now else None
        usual = float(np.mean(was)) if was else None
        if len(now) < rule.minimum:
            return Reading(len(now), value, usual, missing=TOO_FEW)
        if usual is None or len(was) < rule.minimum or value is None:
            return Reading(len(now), value, usual, missing=NO_REFERENCE)
        spread = chance.dispersion_of_means(days)
        error = math.sqrt(chance.error_of_mean(now, spread) + chance.error_of_mean(was, spread))
        drop = usual - value
        return Reading(len(now), value, usual, drop, chance.mean_beyond(drop, rule.clear, error, len(now)))

    return read


def slower(seconds: Callable[[Served], float], level: float = 0.95) -> Read:
    """By which part a quantile has grown. Chance: so many answers above (1 + clear) times the reference's quantile."""

    @_daily
    def values(day: Day) -> list[float]:
        return [s for r in day.requests if r.outcome in WRITTEN and (s := seconds(r)) > 0]

    def read(window: Sample, reference: Sample | None, rule: Rule) -> Reading:
        now = [v for day in window.days for v in values(day)]
        days = [values(day) for day in reference.days] if reference else []
        was = [v for day in days for v in day]
        value = float(np.quantile(now, level)) if now else None
        usual = float(np.quantile(was, level)) if was else None
        if len(now) < rule.minimum:
            return Reading(len(now), value, usual, missing=TOO_FEW)
        if usual is None or len(was) < rule.minimum or value is None:
            return Reading(len(now), value, usual, missing=NO_REFERENCE)
        bound = usual * (1 + rule.clear)
        spread = chance.dispersion_of_shares(
            [sum(v > usual for v in d) for d in days], [len(d) for d in days]
        )
        above = sum(v > bound for v in now)
        p = chance.share_above(above, len(now), 1 - level, spread * (1 + len(now) / len(was)))
        return Reading(len(now), value, usual, value / usual - 1, p)

    return read


def _shift(counts: Callable[[Sequence[Day], Sequence[Day]], tuple[np.ndarray, np.ndarray]]) -> Read:
    """The stability index beyond what samples of this size have by chance. `counts`: rows of counts a day, of reference and
    window, over the same bins."""

    def read(window: Sample, reference: Sample | None, rule: Rule) -> Reading:
        if reference is None:
            return Reading(int(counts((), window.days)[1].sum()), missing=NO_REFERENCE)
        days, now = counts(reference.days, window.days)
        was, present = days.sum(axis=0), now.sum(axis=0)
        n, m = int(present.sum()), int(was.sum())
        answers = sum(len(day.requests) for day in window.days)
        if n < rule.minimum or answers < rule.minimum:
            return Reading(n, missing=TOO_FEW)
        if m < rule.minimum:
            return Reading(n, missing=NO_REFERENCE)
        bins = int(((was + present) > 0).sum())
        spread = chance.dispersion_of_counts(days)
        seen = stability(was, present)
        usual = spread * max(0, bins - 1) * (1 / n + 1 / m)
        score = max(0.0, seen - usual)
        p = chance.index_beyond(seen, bins, n, m, rule.clear, spread)
        return Reading(n, seen, usual, score, p)

    return read


def categories(field: str) -> Read:
    """What clients said of the case, such as its specialty."""

    @_daily
    def of(day: Day) -> Counter[str]:
        # What was not said is no category.
        return Counter(value for r in day.requests if (value := getattr(r, field)))

    def counts(before: Sequence[Day], now: Sequence[Day]) -> tuple[np.ndarray, np.ndarray]:
        names = sorted({value for day in (*before, *now) for value in of(day)})
        return _table(map(of, before), names), _table(map(of, now), names)

    return _shift(counts)


def lengths(field: str, which: Callable[[Served], bool]) -> Read:
    """Fifths of the reference."""

    @_daily
    def of(day: Day) -> np.ndarray:
        return np.array([getattr(r, field) for r in day.requests if which(r)], dtype=float)

    def counts(before: Sequence[Day], now: Sequence[Day]) -> tuple[np.ndarray, np.ndarray]:
        was = np.concatenate([of(day) for day in before]) if before else np.zeros(0)
        edges = quantile_bins(was.tolist()) if len(was) else []

        def rows(days: Sequence[Day]) -> np.ndarray:
            bins = len(edges) + 1
            binned = (np.searchsorted(edges, of(day), side="right") for day in days)
            return np.array([np.bincount(b, minlength=bins) for b in binned], float).reshape(-1, bins)

        return rows(before), rows(now)

    return _shift(counts)


def words(side: str) -> Read:
    """Words of prompts or answers, by hash bucket."""

    @_daily
    def of(day: Day) -> Counter[int]:
        return sum(day.words.get(side, {}).values(), Counter())

    def counts(before: Sequence[Day], now: Sequence[Day]) -> tuple[np.ndarray, np.ndarray]:
        return _table(map(of, before), range(BUCKETS)), _table(map(of, now), range(BUCKETS))

    return _shift(counts)


def _table(days: Iterable[Counter[Any]], names: Sequence[Any]) -> np.ndarray:
    rows = [[day[name] for name in names] for day in days]
    return np.array(rows, dtype=float).reshape(len(rows), len(names))  # either may be 0


def volume(window: Sample, reference: Sample | None, rule: Rule) -> Reading:
    """Doublings of the requests a day, up or down, against the days before."""
    now = [len(day.requests) for day in window.days]
    was = [len(day.requests) for day in reference.days] if reference else []
    if len(was) < len(now):
        return Reading(sum(now), float(np.mean(now)), missing=NO_REFERENCE)
    usual, value = float(np.mean(was)), float(np.mean(now))
    expected = round(usual * len(now))
    if max(expected, sum(now)) < rule.minimum:
        return Reading(sum(now), value, usual, missing=TOO_FEW)
    score = abs(math.log2((value + 0.5) / (usual + 0.5)))
    spread = float(np.std(was, ddof=1)) / (usual + 0.5) / math.log(2)
    error = spread * math.sqrt(1 / len(now) + 1 / len(was))
    return Reading(sum(now), value, usual, score, chance.mean_beyond(score, rule.clear, error, len(was)))


def gap(field: str) -> Read:
    """By how much less of the drafts is kept for one group than for all others; the worst group, corrected for looking at
    several (Bonferroni). Groups of fewer than the minimum are left out."""

    def read(window: Sample, reference: Sample | None, rule: Rule) -> Reading:
        by_group: dict[str, list[float]] = {}
        for day in window.days:
            for served, kept in kept_of(day):
                if served and (group := getattr(served, field)) and group != "other":
                    by_group.setdefault(group, []).append(kept)
        large = {group: values for group, values in by_group.items() if len(values) >= rule.minimum}
        if len(large) < 2:
            return Reading(sum(map(len, by_group.values())), missing=TOO_FEW)
        found = []
        for group, values in sorted(large.items()):
            others = [v for name, some in large.items() if name != group for v in some]
            value, rest = float(np.mean(values)), float(np.mean(others))
            error = math.sqrt(chance.error_of_mean(values, 1) + chance.error_of_mean(others, 1))
            p = chance.mean_beyond(rest - value, rule.clear, error, len(values))
            p = min(1.0, p * len(large))
            found.append(Reading(len(values), value, rest, rest - value, p, detail=group))
        return min(found, key=lambda r: (r.chance, -(r.score or 0)))

    return read


def kept_of(day: Day) -> list[tuple[Served | None, float]]:
    """The share kept of each draft whose final text came that day, beside the answer; the last word on it."""
    found = {f.request_id: (served, f.kept) for f, served in day.feedback if f.kept is not None}
    return [(served, kept) for served, kept in found.values() if kept is not None]


def ratings_of(day: Day) -> list[tuple[Served | None, int]]:
    """The ratings of that day, beside their answers; the last word on each."""
    found = {f.request_id: (served, f.rating) for f, served in day.feedback if f.rating is not None}
    return [(served, rating) for served, rating in found.values() if rating is not None]


def _summed(pairs: Any) -> tuple[int, int]:
    hits = n = 0
    for x, size in pairs:
        hits, n = hits + x, n + size
    return hits, n
