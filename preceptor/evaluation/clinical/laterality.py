"""Which side: left, right or both, of a part of the body or of a problem."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from preceptor.evaluation.clinical.lexicon import Match
from preceptor.evaluation.clinical.tokens import Token

LEFT, RIGHT, BOTH = "left", "right", "bilateral"
_SIDES = {"left": LEFT, "right": RIGHT, "bilateral": BOTH, "bilaterally": BOTH, "both": BOTH}
_ABBREVIATED = {"L": LEFT, "R": RIGHT, "Lt": LEFT, "Rt": RIGHT}
_AHEAD = 5  # tokens from a side to what it is of
_BEHIND = 8
# "left the clinic", "right at the end": what follows is no part of the body
_NOT_BETWEEN = frozenset(
    "the my at a an to in for with that there now away it he she they on when so as is was . : ;".split()
)


class Side(NamedTuple):
    """`name` is on `side`; tokens `first` to `last` (not included) say so, the name being at `place`."""

    name: str
    side: str
    first: int
    last: int
    place: tuple[int, int]


def lateral(
    tokens: Sequence[Token], sites: Sequence[Match], problems: Sequence[Match], first: int, last: int
) -> list[Side]:
    """Return the sides that are named in the sentence of tokens `first` to `last` (not included)."""
    # "left ventricular hypertrophy": a side within a name is part of it
    within = {i for p in problems for i in range(p.first, p.last)}
    found = []
    for at in range(first, last):
        side = _SIDES.get(tokens[at].word) or _ABBREVIATED.get(tokens[at].raw)
        if side is None or at in within:
            continue
        ahead = _ahead(tokens, [*sites, *problems], at, last)
        behind = _behind(tokens, sites, at, first, side)
        target = behind or ahead if tokens[at].word == "bilaterally" else ahead or behind
        if target is not None:
            found.append(
                Side(
                    target.entry.name,
                    side,
                    min(at, target.first),
                    max(at + 1, target.last),
                    (target.first, target.last),
                )
            )
    return found


def _ahead(tokens: Sequence[Token], targets: Sequence[Match], at: int, last: int) -> Match | None:
    near = sorted((t for t in targets if at < t.first <= min(at + _AHEAD, last - 1)), key=lambda t: t.first)
    if not near or any(token.word in _NOT_BETWEEN for token in tokens[at + 1 : near[0].first]):
        return None
    if tokens[at].word == RIGHT and near[0].first == at + 1 and tokens[at + 1].word == "back":
        return None  # "I'll be right back"
    return near[0]


def _behind(tokens: Sequence[Token], sites: Sequence[Match], at: int, first: int, side: str) -> Match | None:
    """ "knees bilaterally", "hip, left": directly before it, or anywhere near it for "bilaterally"."""
    reach = _BEHIND if tokens[at].word == "bilaterally" else 2
    near = [s for s in sites if first <= s.first and 0 <= at - s.last < reach]
    if not near or side != BOTH and any(token.raw not in ",(-" for token in tokens[near[-1].last : at]):
        return None
    return near[-1]
