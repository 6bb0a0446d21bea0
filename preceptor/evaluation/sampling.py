"""Which cases a costly probe looks at: few, by the seed, spread over use cases and patients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from random import Random

from preceptor.records import Example


def drawn(cases: Iterable[Example], count: int, seed: str) -> list[Example]:
    """Return up to `count` cases in the order drawn. A patient's second case comes after every patient's first, and use cases
    take turns, so that what is left out by a small count is neither a use case nor a patient."""
    rest = sorted(cases, key=lambda case: case.example_id)
    Random(seed).shuffle(rest)
    patients, tasks = Counter[str](), Counter[str]()
    found: list[Example] = []
    while rest and len(found) < count:
        taken = min(rest, key=lambda case: (patients[case.person], tasks[case.task]))
        rest.remove(taken)
        found.append(taken)
        patients[taken.person] += 1
        tasks[taken.task] += 1
    return found


def one_of_each(cases: Iterable[Example]) -> list[Example]:
    """The first case of every patient."""
    firsts: dict[str, Example] = {}
    for case in cases:
        firsts.setdefault(case.person, case)
    return list(firsts.values())
