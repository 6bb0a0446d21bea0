"""Hiding in plain sight with stand-ins that sometimes change.

Where every mention of a person has one stand-in, a name that detection missed is the odd one out and gives itself
away. So at each mention an identity keeps its stand-in or, with a small probability, takes a new one that then stays
until the next change: a Markov chain over stand-ins (Electronics 2025;14(19):3945). An identity is a family of words
that stand together in names, so that full name and surname, patient and relative agree between two changes.
"""

from __future__ import annotations

from collections import Counter

from preceptor.deid.surrogates.draws import CHANGE, Draws


class Switches:
    """How often each identity of a patient has changed. `redraw`: the probability of it at a mention; 0: never."""

    def __init__(self, draws: Draws, redraw: float) -> None:
        self._draws, self._redraw = draws, redraw
        self._mentions: Counter[str] = Counter()
        self._changes: Counter[str] = Counter()

    def mention(self, identity: str) -> None:
        """Count one mention, and change if the key says so. The first keeps the first stand-in."""
        if not self._redraw:
            return
        ordinal = self._mentions[identity]
        self._mentions[identity] += 1
        if ordinal and self._draws.share("redraw", f"{identity}\x1f{ordinal}") < self._redraw:
            self._changes[identity] += 1

    def key(self, identity: str, value: str) -> str:
        """The value to draw by: itself until the first change."""
        n = self._changes[identity]
        return f"{value}{CHANGE}{n}" if n else value
