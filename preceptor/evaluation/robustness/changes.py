"""The same document written otherwise: what it says, its numbers and what a coding answer quotes of it stay."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from preceptor.deid.tagger.disturb import capitals, rewrapped
from preceptor.deid.tagger.notes import Piece
from preceptor.records import Example
from preceptor.synthesis.variations import (
    abbreviated,
    from_a_scanner,
    outside_quotations,
    reordered,
    typed_in_haste,
)

_Change = Callable[[str, Example, Random], str]
_DRAWS = 5  # a draw may change nothing: terms are made short or long, and a short text may have no slip


def _in_capitals(source: str, example: Example, draw: Random) -> str:
    return outside_quotations(source, example, lambda text: capitals([Piece(text, "")], draw)[0].text)


def _spaced(source: str, example: Example, draw: Random) -> str:
    """Lines that end at another width; a quotation may run over the end of one, since spacing is no part of it."""
    return rewrapped([Piece(source, "")], draw)[0].text


# name, for people -> the change
CHANGES: dict[str, _Change] = {
    "typing errors": lambda *of: typed_in_haste(*of)[0],
    "scanning errors": lambda *of: from_a_scanner(*of)[0],
    "abbreviations": lambda *of: abbreviated(*of)[0],
    "order of sections": lambda *of: reordered(*of)[0],
    "capitals": _in_capitals,
    "line breaks": _spaced,
}


def changed_prompt(case: Example, change: str, seed: int) -> str | None:
    """The case's prompt with its document changed, the same for the same seed; None where there is nothing to change."""
    source = case.source
    for draw in range(_DRAWS):
        text = CHANGES[change](source, case, Random(f"{seed} {change} {case.example_id} {draw}"))
        if text != source:
            return case.told(text).prompt
    return None
