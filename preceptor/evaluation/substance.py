"""Do two answers to one case say the same in substance: the same codes, the same diagnoses, the same clinical facts?

Wording is not looked at. By rules alone, as the measures of the use cases are.
"""

from __future__ import annotations

from dataclasses import dataclass

from preceptor.evaluation.clinical.compare import compare
from preceptor.evaluation.coding import parse_codes, set_f1
from preceptor.evaluation.differential import MATCH, parse_differential, soft_recall, token_f1
from preceptor.evaluation.metrics import primary

LEAST_IN_COMMON = 0.5  # of the clinical facts of two texts; with less they say something else


@dataclass(frozen=True, slots=True)
class Agreement:
    """`share`: what the two have in common, in [0, 1]. `changed`: the second would lead to something else being done: another set of
    codes, another leading diagnosis, facts that contradict or are for the larger part others."""

    share: float
    changed: bool


def agreement(task: str, one: str, other: str) -> Agreement | None:
    """Compare two answers of a use case; the order does not matter. None where neither says anything that can be compared."""
    if one == other:
        return Agreement(1.0, False) if one.strip() else None
    measure = primary(task)
    if measure == "code_f1":
        return _codes(one, other)
    if measure == "differential_soft_recall":
        return _diagnoses(one, other)
    return _facts(one, other)


def _codes(one: str, other: str) -> Agreement | None:
    a, b = frozenset(parse_codes(one).codes), frozenset(parse_codes(other).codes)
    return Agreement(set_f1(a, b), a != b) if a or b else None


def _diagnoses(one: str, other: str) -> Agreement | None:
    a, b = parse_differential(one), parse_differential(other)
    if not a and not b:
        return None
    if not a or not b:
        return Agreement(0.0, True)
    matched = soft_recall(a, b) * len(a) + soft_recall(b, a) * len(b)
    return Agreement(matched / (len(a) + len(b)), token_f1(a[0], b[0]) < MATCH)


def _facts(one: str, other: str) -> Agreement | None:
    """Each text's facts against the other's; support is looked for leniently, as for the answers themselves."""
    there, back = compare("", one, other), compare("", other, one)
    stated = len(there.judged) + len(back.judged)
    if not stated:
        return None
    share = 1 - (len(there.hallucinated) + len(back.hallucinated)) / stated
    return Agreement(share, share < LEAST_IN_COMMON or bool(there.contradictions or back.contradictions))
