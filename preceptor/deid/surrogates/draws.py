"""Choices that a key makes: HMAC-SHA-256 over patient, kind and value, so that no table of pairs is kept."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Sequence

from preceptor.deid.tokens import fold


class Draws:
    """The choices for one patient. `taken`: folded words of the patient's own, which no stand-in may be."""

    def __init__(self, secret: bytes, patient_ref: str, taken: Collection[str] = ()) -> None:
        self._secret, self._patient = secret, patient_ref
        self._taken = frozenset(taken)
        self._given: dict[tuple[str, str], str] = {}

    def number(self, kind: str, value: str, turn: int = 0) -> int:
        """A number below 2**96 that the key makes of its arguments."""
        message = "\x1f".join((self._patient, kind, value, str(turn))).encode()
        return int.from_bytes(hmac.new(self._secret, message, hashlib.sha256).digest()[:12], "big")

    def share(self, kind: str, value: str) -> float:
        """A number from 0 to 1 that the key makes of its arguments."""
        return self.number(kind, value) / 2**96

    def choose(self, kind: str, value: str, pool: Sequence[str]) -> str:
        """The stand-in for a value: none of the patient's words, and not what stands for another value of its kind.

        Where the key picks such a one, it picks again; where the pool has nothing else left, two values share one.
        """
        turns = [pool[self.number(kind, value, turn) % len(pool)] for turn in range(30)]
        start = self.number(kind, value) % len(pool)
        free = [c for c in (*turns, *pool[start:], *pool[:start]) if not self._is_taken(c)]
        choice = next((c for c in free if self._given.setdefault((kind, fold(c)), value) == value), None)
        return choice or next(iter(free), pool[start])

    def _is_taken(self, choice: str) -> bool:
        return any(fold(word) in self._taken for word in (choice, *choice.replace("-", " ").split()))
