"""Whether one arm is shown to answer a use case better than another."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from preceptor.evaluation.verdict import SHOWN

FEW_CASES = 10  # of a use case: with fewer, nothing is shown (the same number as the gate's min_cases)


@dataclass(frozen=True, slots=True)
class Difference:
    """In points of 100, with its 95 % interval: above 0, `arm` is the better one. `found` is `open` where neither is shown.

    `better` and `worse` need the use case's own interval to leave out 0, `FEW_CASES` cases, and, where the report is of several
    use cases, the difference over all of them to be shown after correction for all comparisons: an interval by itself is not
    corrected, and one of several use cases leaves out 0 by chance soon enough.
    """

    arm: str
    against: str
    points: float
    low: float
    high: float
    cases: int
    found: Literal["better", "worse", "open"]

    @property
    def needed(self) -> int | None:
        """About how many cases would show a difference of this size, if it is there: the interval shrinks with the root of
        their number. None where it is shown, or where there is nothing to show."""
        reach = (self.high - self.low) / 2
        if self.found != "open" or not self.points or not reach:
            return None
        return max(FEW_CASES, math.ceil(self.cases * (reach / abs(self.points)) ** 2))

    def said(self, labels: Mapping[str, str]) -> str:
        """The difference as a sentence."""
        sentence = (
            f"{labels[self.arm]} against {labels[self.against].lower()}: {self.points:+.1f} points of 100 "
            f"(95 % interval {self.low:+.1f} to {self.high:+.1f}, {self.cases} cases)"
        )
        word = {"better": "shown to be better", "worse": "shown to be worse", "open": "not shown to differ"}
        return f"{sentence}: {word[self.found]}."


def difference(report: Mapping[str, Any], task: str, arm: str, against: str) -> Difference | None:
    """The difference in one use case; None if the report does not compare the two there."""
    for ours, theirs, sign in ((arm, against, 1), (against, arm, -1)):
        facts = report["comparisons"].get(f"{ours}_vs_{theirs}")
        interval = (facts or {}).get("per_task_intervals", {}).get(task)
        if facts and interval:
            return _difference(report, task, facts, interval, sign, arm, against)
    return None


def _difference(
    report: Mapping[str, Any],
    task: str,
    facts: Mapping[str, Any],
    interval: list[float],
    sign: int,
    arm: str,
    against: str,
) -> Difference:
    low, high = sorted(100 * sign * end for end in interval)
    points = 100 * sign * facts["per_task"][task]
    cases = report["cases_by_task"][task]
    over_all = sign * facts["difference"]
    shown = cases >= FEW_CASES and facts["p_holm"] < SHOWN and not low <= 0 <= high and points * over_all > 0
    found: Literal["better", "worse", "open"] = "open"
    if shown:
        found = "better" if points > 0 else "worse"
    return Difference(arm, against, points, low, high, cases, found)
