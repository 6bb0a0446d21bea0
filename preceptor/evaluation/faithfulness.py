"""What an answer says that its prompt does not: cheap signs of invention, no proof of its absence."""

from __future__ import annotations

import re

_NUMBER = re.compile(r"(?<![\w.,])\d+(?:[.,]\d+)*(?!\w)")
_LIST_NUMBER = re.compile(r"^\s*\d{1,2}[.)]\s", re.M)
_TERM = re.compile(r"[a-z][a-z-]{4,}")
_HEADING = re.compile(r"^\W{0,3}([A-Z][A-Za-z /]{1,30}?)\W{0,2}:", re.M)


def number_faithfulness(prompt: str, answer: str) -> float | None:
    """Return the share of the answer's numbers that stand in the prompt; None if it has none.

    Doses, values and dates are what a reader acts on. Numbers that number a list do not count; "1,800" is
    "1800".
    """
    numbers = _numbers(_LIST_NUMBER.sub("", answer))
    if not numbers:
        return None
    known = set(_numbers(prompt))
    return sum(number in known for number in numbers) / len(numbers)


def _numbers(text: str) -> list[str]:
    return [re.sub(r",(?=\d{3}\b)", "", number) for number in _NUMBER.findall(text)]


def term_faithfulness(prompt: str, answer: str) -> float | None:
    """Return the share of the answer's different words of five letters or more that stand in the prompt.

    Names of drugs, findings and people are among them, and so are ordinary words: a faithful rewording scores
    below 1, so compare arms rather than read it by itself. None if there is no such word.
    """
    terms = set(_TERM.findall(answer.lower()))
    if not terms:
        return None
    known = set(_TERM.findall(prompt.lower()))
    return len(terms & known) / len(terms)


def heading_share(reference: str, answer: str) -> float | None:
    """Return the share of the reference's headings ("Plan:") that the answer has; None if it has none."""
    wanted = {heading.lower() for heading in _HEADING.findall(reference)}
    if not wanted:
        return None
    return len(wanted & {heading.lower() for heading in _HEADING.findall(answer)}) / len(wanted)
