"""Which generated texts are good enough to learn from, and by which rule the others are not."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from preceptor.curation.contamination import HeldOut
from preceptor.deid.leakcheck import leaks
from preceptor.records import Example

_NUMBER = re.compile(r"\d+(?:[.,/]\d+)*")
_WORD = re.compile(r"[a-z0-9]+")
# Shapes of direct identifiers: e-mail, SSN, telephone, long numbers, web addresses.
_IDENTIFIER = re.compile(
    r"[\w.+-]+@[\w-]+\.\w|\b\d{3}-\d{2}-\d{4}\b|\(?\b\d{3}\)?[ .-]\d{3}[ .-]\d{4}\b|\b\d{7,}\b|https?://|www\."
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A generated text, the source that it rewrites, and the example whose answer it would keep."""

    text: str
    source: str
    seed: Example


def refusal(candidate: Candidate, test: HeldOut) -> str | None:
    """The first rule that a candidate breaks, or None. `test`: the test split."""
    return next((name for name, broken in _RULES.items() if broken(candidate, test)), None)


def refusal_of_new(candidate: Candidate, test: HeldOut) -> str | None:
    """The same for a text that rewrites none: only the rules that need no source."""
    return next((name for name in _OF_NEW if _RULES[name](candidate, test)), None)


def refusal_of_variation(candidate: Candidate, test: HeldOut) -> str | None:
    """The same for one that is meant to stay close to its source: being like it is no fault, new capitals neither."""
    return next((name for name in _OF_VARIATION if _RULES[name](candidate, test)), None)


def quotations(example: Example) -> list[str]:
    """What a coding answer quotes of its note; none of another."""
    if not example.task.startswith("coding"):
        return []
    return [q for line in example.answer.splitlines() for q in line.partition(": ")[2].split("; ")]


def runs(text: str, n: int) -> set[str]:
    """The runs of `n` words of a text."""
    found = _WORD.findall(text.lower())
    return {" ".join(found[i : i + n]) for i in range(len(found) - n + 1)}


def _numbers_invented(candidate: Candidate, test: HeldOut) -> bool:
    return not set(_NUMBER.findall(candidate.text)) <= set(_NUMBER.findall(candidate.source))


def _numbers_lost(candidate: Candidate, test: HeldOut) -> bool:
    wanted = set(_NUMBER.findall(candidate.source))
    return len(wanted & set(_NUMBER.findall(candidate.text))) < 0.5 * len(wanted)


def _names_invented(candidate: Candidate, test: HeldOut) -> bool:
    """Capitalised words inside a sentence that the source does not have: a person, a place, a drug made up."""
    inside = re.findall(r"(?<=[a-z,;] )[A-Z][a-z]{2,}", candidate.text)
    known = set(_WORD.findall(candidate.source.lower()))
    return any(word.lower() not in known for word in inside)


def _evidence_lost(candidate: Candidate, test: HeldOut) -> bool:
    text = " ".join(candidate.text.split()).lower()
    return any(" ".join(q.split()).lower() not in text for q in quotations(candidate.seed))


def _phi_suspected(candidate: Candidate, test: HeldOut) -> bool:
    """What the leak check of de-identification finds or doubts in the text, and its source does not have: a row that is
    refused costs nothing."""
    known = candidate.source.lower()
    return any(
        candidate.text[leak.start : leak.end].lower() not in known
        for leak in leaks((), None, "", candidate.text)
    )


def _near_copy(candidate: Candidate, test: HeldOut) -> bool:
    a, b = runs(candidate.text, 3), runs(candidate.source, 3)
    return len(a & b) > 0.8 * max(1, len(a | b))


_RULES: dict[str, Callable[[Candidate, HeldOut], bool]] = {
    "too-short": lambda c, _: len(c.text.split()) < max(20, 0.4 * len(c.source.split())),
    "near-copy": _near_copy,
    "numbers-invented": _numbers_invented,
    "numbers-lost": _numbers_lost,
    "names-invented": _names_invented,
    "evidence-lost": _evidence_lost,
    "identifier-shape": lambda c, _: bool(
        set(_IDENTIFIER.findall(c.text)) - set(_IDENTIFIER.findall(c.source))
    ),
    "phi-suspected": _phi_suspected,
    "control-tokens": lambda c, _: "<|" in c.text,
    "test-overlap": lambda c, test: test.given_away_by((c.text,)),
}
_OF_NEW = ("identifier-shape", "phi-suspected", "control-tokens", "test-overlap")
_OF_VARIATION = ("numbers-invented", "numbers-lost", "evidence-lost", *_OF_NEW)
RULES = (*_RULES, "repeats-another", "over-cap", "lost-by-judge")
