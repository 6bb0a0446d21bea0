"""Scoring a ranked differential diagnosis: numbered lines, `1. Diagnosis — for: a; b — against: c`."""

from __future__ import annotations

import re
from collections import Counter

_NUMBERED = re.compile(r"^\s*(?:\d{1,2}\s*[.):]|[-*•])\s*(.+)$")
_DIAGNOSIS_END = re.compile(r"\s+[—–-]+\s+|\s*[:;(]|\s+\b(?:for|against)\s*:", re.I)
_WORD = re.compile(r"[a-z0-9]+")
_EMPTY_WORDS = frozenset("a an and by due from in of on or the to with without secondary".split())
MATCH = 0.5  # token F1 from which two names are taken for the same diagnosis


def parse_differential(answer: str) -> list[str]:
    """Return the diagnoses of an answer in their order, without the arguments for and against them.

    Lines with a number or a bullet count; if there is none, every line does.

    >>> parse_differential("1. Heart failure — for: oedema — against: normal BNP\\n2) COPD: smoker")
    ['Heart failure', 'COPD']
    """
    lines = [line for line in answer.splitlines() if line.strip()]
    numbered = [match[1] for line in lines if (match := _NUMBERED.match(line))]
    names = [_DIAGNOSIS_END.split(line.strip(), maxsplit=1)[0] for line in numbered or lines]
    return [name.strip(" *_.\"'") for name in names if _words(name)]


def _words(text: str) -> Counter[str]:
    return Counter(word for word in _WORD.findall(text.lower()) if word not in _EMPTY_WORDS)


def token_f1(one: str, other: str) -> float:
    """F1 of the words two names have in common; words such as "of" and "due to" do not count."""
    a, b = _words(one), _words(other)
    if not a or not b:
        return 0.0
    return 2 * (a & b).total() / (a.total() + b.total())


def soft_recall(reference: list[str], found: list[str]) -> float:
    """Return how well the reference's diagnoses are matched, in [0, 1]: the primary measure.

    The first n diagnoses found, n being the number in the reference, are paired with the reference's one to
    one so that the sum of token F1 is largest; the result is that sum over n. Soft, because the same
    diagnosis is worded in many ways. Cut at n and paired one to one, because otherwise a longer list, or one
    vague diagnosis that resembles several, could only gain.
    """
    if not reference:
        return 1.0 if not found else 0.0
    if not found:
        return 0.0
    import numpy as np
    from scipy.optimize import linear_sum_assignment

    scores = np.array([[token_f1(want, got) for got in found[: len(reference)]] for want in reference])
    rows, columns = linear_sum_assignment(scores, maximize=True)
    return float(scores[rows, columns].sum() / len(reference))


def reciprocal_rank(reference: list[str], found: list[str]) -> float:
    """Return 1 over the rank at which the reference's first diagnosis is found, 0 if it is not."""
    if not reference:
        return 0.0
    for rank, name in enumerate(found, start=1):
        if token_f1(reference[0], name) >= MATCH:
            return 1.0 / rank
    return 0.0


def score_differential(reference: str, answer: str) -> dict[str, float | None]:
    """Return `differential_soft_recall`, `differential_rr` and `differential_token_f1`, in [0, 1].

    The last compares the words of both lists as wholes, whatever their order.
    """
    wanted, got = parse_differential(reference), parse_differential(answer)
    return {
        "differential_soft_recall": soft_recall(wanted, got),
        "differential_rr": reciprocal_rank(wanted, got),
        "differential_token_f1": token_f1(" ".join(wanted), " ".join(got)),
    }
