"""What came of blinded comparisons, in the release record: who looks at a version months later must be able to prove it.

Numbers only: how often an arm was preferred, mean ratings, agreement. The evaluation that was judged is the event's subject.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from preceptor.release.store import Store

CLOSED = "comparison_closed"


def record(
    store: Store,
    evaluation: str,
    comparison: str,
    arms: tuple[str, str],
    found: Mapping[str, Any],
    actor: str,
) -> None:
    """Write down what a closed comparison found (`preceptor.review.comparisons.results`), once."""
    first, second = arms
    payload = {"comparison": comparison, "first": first, "second": second, "found": dict(found)}
    with store.transaction():  # two people may close it, or look at it first, at once
        if recorded(store, evaluation, comparison) is None:
            store.append(CLOSED, evaluation, actor, payload)


def recorded(store: Store, evaluation: str, comparison: str) -> dict[str, Any] | None:
    """What was written down of a comparison; None if nothing was yet."""
    found = (each["found"] for each in of_evaluation(store, evaluation) if each["comparison"] == comparison)
    return next(found, None)


def of_evaluation(store: Store, evaluation: str) -> list[dict[str, Any]]:
    """The closed comparisons of an evaluation, oldest first: `comparison`, `first`, `second`, `found`, `at`."""
    return [{**event.payload, "at": event.at} for event in store.events(subject=evaluation, kinds=(CLOSED,))]
