"""Whether a problem is the patient's, is there, was there, may be there: ConText.

Harkema, Dowling, Thornblade & Chapman 2009 (doi 10.1016/j.jbi.2009.05.002): trigger phrases with a scope that ends with the
sentence, at a terminator or at the next trigger of its kind; pseudo-triggers that look like one. The open implementations
were looked at: medspaCy pins an older spaCy than Preceptor's, negspaCy knows negation alone and needs a spaCy pipeline
(seconds to load, tens of milliseconds an answer), pyConTextNLP has not been kept since 2019.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from preceptor.evaluation.clinical.lexicon import LEXICONS
from preceptor.evaluation.clinical.tokens import Token, words

PRESENT, ABSENT, POSSIBLE, HISTORY, HYPOTHETICAL, FAMILY = (
    "present", "absent", "possible", "history", "hypothetical", "family",
)  # fmt: skip
# The first that applies is what is said: a father's absent cancer is no fact of the patient, a possible one no history.
_ORDER = (FAMILY, HYPOTHETICAL, ABSENT, POSSIBLE, HISTORY)
_SHORT = {"not": 10, "n't": 10, "cannot": 6, "don't": 8, "doesn't": 8, "didn't": 8}  # words that these reach
_OF_ANOTHER = frozenset("but however described noticed concerned brought reports states".split()) | {
    "has described"
}
_AFTER = 8  # words that a trigger behind a problem reaches back
_LONGEST = 6


class Trigger(NamedTuple):
    """Tokens `first` to `last` (not included) say `category` of what is `before` or `after`."""

    category: str
    side: str
    phrase: str
    first: int
    last: int


@cache
def _triggers() -> dict[tuple[str, ...], list[tuple[str, str, str]]]:
    found: dict[tuple[str, ...], list[tuple[str, str, str]]] = {}
    for line in (LEXICONS / "context.txt").read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            category, side, phrases = (part.strip() for part in line.split("|"))
            for phrase in phrases.split(","):
                found.setdefault(words(phrase), []).append((category, side, phrase.strip()))
    return found


def triggers(sentence: Sequence[Token]) -> list[Trigger]:
    """Return the triggers of a sentence; the longest phrase at a place hides the shorter ones in it."""
    known = _triggers()
    places = [i for i, token in enumerate(sentence) if token.raw[0].isalnum()]
    plain = [sentence[i].word for i in places]
    found: list[Trigger] = []
    at = 0
    while at < len(plain):
        for length in range(min(_LONGEST, len(plain) - at), 0, -1):
            meant = known.get(tuple(plain[at : at + length]))
            if (
                plain[at : at + length] == ["no"]
                and places[at] + 1 < len(sentence)
                and sentence[places[at] + 1].raw == ","
            ):
                meant = None  # "No, it itches" answers, and denies nothing behind it
            if meant:
                first, last = places[at], places[at + length - 1] + 1
                found += [Trigger(category, side, phrase, first, last) for category, side, phrase in meant]
                at += length
                break
        else:
            at += 1
    return found


def status(sentence: Sequence[Token], found: Sequence[Trigger], first: int, last: int) -> str:
    """Return what is said of the problem at tokens `first` to `last` of the sentence whose triggers are `found`."""
    said = {
        t.category
        for t in found
        if _reaches(t, found, first, last) and not _listed_out(sentence, t, found, first)
    }
    return next((category for category in _ORDER if category in said), PRESENT)


def _reaches(trigger: Trigger, found: Sequence[Trigger], first: int, last: int) -> bool:
    if trigger.category in ("pseudo", "stop"):
        return False
    if trigger.side == "before":
        between = trigger.last, first
        reach = _SHORT.get(trigger.phrase, 60)
    else:
        between = last, trigger.first
        reach = _AFTER
    start, end = between
    if start > end or end - start > reach:
        return False
    # A relative's scope is ended by the patient, or by what the relative tells of: "her mother, who had a stroke", but "his
    # father noticed a cough".
    stops = [t for t in found if t.category == "stop" and start <= t.first and t.last <= end]
    if trigger.category == FAMILY:
        stops = [t for t in stops if "patient" in t.phrase or t.phrase in _OF_ANOTHER]
    return not stops


def _listed_out(sentence: Sequence[Token], trigger: Trigger, found: Sequence[Trigger], first: int) -> bool:
    """Whether a list that says "no" each time has come to what is there: "no fever, no vomiting, small bruise"."""
    said = [t for t in found if t.phrase == "no" and t.last <= first]
    if trigger.phrase != "no" or len(said) < 2:
        return False
    behind = [token.raw for token in sentence[said[-1].last : first]]
    follows = [token.raw for token in sentence[first:]]
    return "," in behind and not {"or", "nor"} & {*behind, *follows}
