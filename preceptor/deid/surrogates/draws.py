"""Choices that a key makes: HMAC-SHA-256 over patient, kind and value, so that no table of pairs is kept."""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterator, Sequence

from preceptor.deid.tokens import fold

CHANGE = "\x1f"  # parts a value from the number of its change (switches.py)
_TURNS = 30  # picks by the key before the rest of the pool is gone through in its order


class Draws:
    """The choices for one patient. `taken`: folded words of the patient's own, which no stand-in may be."""

    def __init__(self, secret: bytes, patient_ref: str, taken: Collection[str] = ()) -> None:
        self._secret, self._patient = secret, patient_ref
        self._taken = frozenset(taken)
        self._given: dict[tuple[str, str], str] = {}
        self._chosen: dict[tuple[str, str], str] = {}

    def number(self, kind: str, value: str, turn: int = 0) -> int:
        """A number below 2**96 that the key makes of its arguments."""
        message = f"{self._patient}\x1f{kind}\x1f{value}\x1f{turn}".encode()
        return int.from_bytes(hmac.digest(self._secret, message, "sha256")[:12], "big")

    def share(self, kind: str, value: str) -> float:
        """A number from 0 to 1 that the key makes of its arguments."""
        return self.number(kind, value) / 2**96

    def choose(self, kind: str, value: str, pool: Sequence[str]) -> str:
        """The stand-in for a value: not itself, none of the patient's words, not what stands for another of its kind.

        Where the key picks such a one, it picks again; where the pool has nothing else left, two values share one.
        """
        known = self._chosen.get((kind, value))
        if known is not None:
            return known
        own, shared = fold(value.partition(CHANGE)[0]), None
        for choice in self._picks(kind, value, pool):
            if fold(choice) == own or self._is_taken(choice):
                continue
            if self._given.setdefault((kind, fold(choice)), value) == value:
                break
            shared = shared or choice
        else:
            choice = shared or pool[self.number(kind, value) % len(pool)]
        self._chosen[kind, value] = choice
        return choice

    def _picks(self, kind: str, value: str, pool: Sequence[str]) -> Iterator[str]:
        start = self.number(kind, value) % len(pool)
        yield pool[start]
        for turn in range(1, _TURNS):
            yield pool[self.number(kind, value, turn) % len(pool)]
        yield from pool[start:]
        yield from pool[:start]

    def _is_taken(self, choice: str) -> bool:
        low = fold(choice)
        return low in self._taken or any(word in self._taken for word in low.replace("-", " ").split())
