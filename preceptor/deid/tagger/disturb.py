"""The same note written worse: capitals, lower case, scanning errors, typing errors, lines broken anywhere.

Pieces keep their types, whatever is done to their letters.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random

from preceptor.deid.tagger.notes import Piece

# What optical character recognition confuses most often.
_SCANNED = {
    "0": "O", "O": "0", "1": "l", "l": "1", "I": "l", "i": "l", "5": "S", "S": "5", "8": "B", "B": "8", "rn": "m", "m": "rn",
    "cl": "d", "vv": "w", "e": "c", "c": "e", "t": "f", "g": "q", "h": "b", "2": "Z", "a": "o", "n": "u", "D": "O",
}  # fmt: skip
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def disturb(pieces: Sequence[Piece], draw: Random) -> list[Piece]:
    """Half of the time the note as it is, else one or two of the ways in which notes are written badly."""
    found = list(pieces)
    for way, chance in _WAYS:
        if draw.random() < chance:
            found = way(found, draw)
    return found


def capitals(pieces: Sequence[Piece], draw: Random) -> list[Piece]:
    return [Piece(piece.text.upper(), piece.type) for piece in pieces]


def lower_case(pieces: Sequence[Piece], draw: Random) -> list[Piece]:
    return [Piece(piece.text.lower(), piece.type) for piece in pieces]


def scanned(pieces: Sequence[Piece], draw: Random) -> list[Piece]:
    """About one letter in forty misread, a blank lost or put in now and then."""
    return [Piece(_each(piece.text, draw, 0.025, _misread), piece.type) for piece in pieces]


def mistyped(pieces: Sequence[Piece], draw: Random) -> list[Piece]:
    """About one letter in sixty left out, doubled, changed or swapped with its neighbour."""
    return [Piece(_each(piece.text, draw, 0.016, _slip), piece.type) for piece in pieces]


def rewrapped(pieces: Sequence[Piece], draw: Random) -> list[Piece]:
    """Lines end at another width, also inside a span."""
    width, column, found = draw.randrange(38, 90), 0, []
    for piece in pieces:
        out = []
        for part in re.split(r"(\s)", piece.text):
            if part == "\n":
                column = 0
            elif part == " " and column >= width:
                part, column = "\n", 0
            else:
                column += len(part)
            out.append(part)
        found.append(Piece("".join(out), piece.type))
    return found


def cropped(pieces: Sequence[Piece], draw: Random) -> list[Piece]:
    """A few lines out of the note: texts are also short, and a name may stand in one with nothing around it."""
    lines: list[list[Piece]] = [[]]
    for piece in pieces:
        parts = [piece.text] if piece.type else re.split(r"(?<=\n)", piece.text)
        for part in filter(None, parts):
            lines[-1].append(Piece(part, piece.type))
            if not piece.type and part.endswith("\n"):
                lines.append([])
    first = draw.randrange(len(lines))
    return [piece for line in lines[first : first + draw.randrange(1, 6)] for piece in line]


def run_together(pieces: Sequence[Piece], draw: Random) -> list[Piece]:
    """Line ends become blanks: the note as one paragraph."""
    return [Piece(re.sub(r"\s*\n\s*", " ", piece.text), piece.type) for piece in pieces]


def without_points(pieces: Sequence[Piece], draw: Random) -> list[Piece]:
    """Full stops and commas outside of numbers fall away."""
    return [Piece(re.sub(r"(?<!\d)[.,;](?=\s|$)", "", piece.text) or " ", piece.type) for piece in pieces]


_WAYS: tuple[tuple[Callable[[Sequence[Piece], Random], list[Piece]], float], ...] = (
    (cropped, 0.15), (without_points, 0.07), (run_together, 0.06), (rewrapped, 0.12), (mistyped, 0.08), (scanned, 0.10), (lower_case, 0.18),
    (capitals, 0.15),
)  # fmt: skip


def _each(text: str, draw: Random, rate: float, change: Callable[[str, Random], str]) -> str:
    out = []
    n = 0
    while n < len(text):
        pair = text[n : n + 2]
        if draw.random() < rate and text[n].isalnum():
            whole = pair if pair in _SCANNED and change is _misread else text[n]
            new = change(whole, draw)
            n += len(whole)
            out.append(new)
            continue
        out.append(text[n])
        n += 1
    return "".join(out) or text


def _misread(letter: str, draw: Random) -> str:
    chance = draw.random()
    if chance < 0.12:
        return letter + " "
    return _SCANNED.get(letter, letter)


def _slip(letter: str, draw: Random) -> str:
    chance = draw.random()
    if not letter.isalpha():
        return letter
    if chance < 0.3:
        return ""
    return letter * 2 if chance < 0.55 else draw.choice(_LETTERS) if letter.islower() else letter
