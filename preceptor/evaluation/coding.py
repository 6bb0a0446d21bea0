"""Scoring ICD-10-CM coding: the codes, and the words quoted for them.

An answer has one line per code, `I50.23: quoted evidence; quoted evidence`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# A letter, a digit, a digit or A or B; then up to four characters after a point (ICD-10-CM Official
# Guidelines, section I.A.2). The point is often left out.
_CATEGORY = r"[A-Z][0-9][0-9AB]"
_AT_LINE_START = re.compile(
    rf"^\W*(?:\d{{1,2}}[.)]\s*)?(?:ICD-?10(?:-?CM)?(?:\s+code)?\W*)?({_CATEGORY})\.?([0-9A-Z]{{1,4}})?(?![0-9A-Za-z.]\w)\b",
    re.I,
)
# Elsewhere in a line only codes with a point count: "B12", "T12" and "S1" are clinical words.
_ANYWHERE = re.compile(rf"\b({_CATEGORY})\.([0-9A-Z]{{1,4}})\b")
_QUOTES = "\"'“”‘’`*"
MIN_EVIDENCE = 3  # characters; less than this is found in any text


@dataclass(frozen=True, slots=True)
class CodedAnswer:
    """The codes of an answer, each with the evidence that its line quotes."""

    codes: dict[str, tuple[str, ...]]

    @property
    def categories(self) -> frozenset[str]:
        """The three-character categories of the codes."""
        return frozenset(code[:3] for code in self.codes)


def parse_codes(answer: str) -> CodedAnswer:
    """Read the codes of an answer, in upper case and with their point: `i5023` is `I50.23`.

    >>> parse_codes("1. I50.23: worsening oedema; BNP 1,800").codes
    {'I50.23': ('worsening oedema', 'BNP 1,800')}
    """
    found: dict[str, tuple[str, ...]] = {}
    for line in answer.splitlines():
        head = _AT_LINE_START.match(line)
        if head:
            found.setdefault(_written(head), _evidence(line[head.end() :]))
        for match in _ANYWHERE.finditer(line, head.end() if head else 0):
            found.setdefault(_written(match), ())
    return CodedAnswer(found)


def _written(match: re.Match[str]) -> str:
    category, rest = match[1].upper(), (match[2] or "").upper()
    return f"{category}.{rest}" if rest else category


def _evidence(rest: str) -> tuple[str, ...]:
    _, colon, quoted = rest.partition(":")
    parts = [part.strip().strip(_QUOTES).strip() for part in quoted.split(";")] if colon else []
    return tuple(part for part in parts if part)


def set_f1(reference: frozenset[str], found: frozenset[str]) -> float:
    """F1 of two sets; 1 where both are empty, as scikit-learn's `zero_division=1` has it."""
    if not reference and not found:
        return 1.0
    return 2 * len(reference & found) / (len(reference) + len(found))


def evidence_validity(prompt: str, answer: str) -> float | None:
    """Return the share of the quoted evidence that stands in the prompt, apart from case and spacing.

    None if the answer quotes nothing.
    """
    quotes = [quote for evidence in parse_codes(answer).codes.values() for quote in evidence]
    if not quotes:
        return None
    text = plain(prompt)
    return sum(len(plain(quote)) >= MIN_EVIDENCE and plain(quote) in text for quote in quotes) / len(quotes)


def plain(text: str) -> str:
    """A text apart from case and spacing, for looking up quotes."""
    return " ".join(text.casefold().split())


def score_coding(prompt: str, reference: str, answer: str) -> dict[str, float | None]:
    """Return `code_f1` (whole codes), `category_f1` (three characters) and `evidence_validity`, in [0, 1]."""
    wanted, got = parse_codes(reference), parse_codes(answer)
    return {
        "code_f1": set_f1(frozenset(wanted.codes), frozenset(got.codes)),
        "category_f1": set_f1(wanted.categories, got.categories),
        "evidence_validity": evidence_validity(prompt, answer),
    }
