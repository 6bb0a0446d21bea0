"""Values looked for in a text without a pattern for each: a patient has hundreds, and compiling costs more than finding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

_SEPARATORS = frozenset(" \t\r\n\v\f\u00a0\u2028\u2029\u0085().-/")
_MOST_SEPARATORS = 3  # between two characters of a number


class Searchable:
    """A text in which phrases and numbers are looked for, whatever their case. No letter or digit may touch a find."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._low = _folded(text)

    def phrases(self, words: Sequence[str]) -> Iterator[tuple[int, int]]:
        """Where the words follow each other with blanks of any kind between them."""
        folded = [_folded(word) for word in words]
        start = self._low.find(folded[0])
        while start >= 0:
            end = start + len(folded[0])
            for word in folded[1:]:
                after = end
                while after < len(self._low) and self._low[after].isspace():
                    after += 1
                if after == end or not self._low.startswith(word, after):
                    break
                end = after + len(word)
            else:
                if self._is_apart(start, end):
                    yield start, end
            start = self._low.find(folded[0], start + 1)

    def has(self, value: str) -> bool:
        """Whether a value stands in it, with any blanks between its words."""
        words = value.split()
        return bool(words) and any(True for _ in self.phrases(words))

    def numbers(self, run: str) -> Iterator[tuple[int, int]]:
        """Where the characters of `run` (see `unseparated`) follow each other, separated anyhow or not at all."""
        squeezed, places = self._squeezed
        found = squeezed.find(_folded(run))
        while found >= 0:
            at = places[found : found + len(run)]
            close = all(b - a <= _MOST_SEPARATORS + 1 for a, b in zip(at, at[1:], strict=False))
            if close and self._is_apart(at[0], at[-1] + 1):
                yield at[0], at[-1] + 1
            found = squeezed.find(_folded(run), found + 1)

    @cached_property
    def _squeezed(self) -> tuple[str, list[int]]:
        places = [n for n, letter in enumerate(self._low) if letter not in _SEPARATORS]
        return "".join(self._low[n] for n in places), places

    def _is_apart(self, start: int, end: int) -> bool:
        before = self._text[start - 1] if start else ""
        return not (before.isalnum() or self._text[end : end + 1].isalnum())


def unseparated(value: str) -> str:
    """A number without what separates its parts."""
    return "".join(letter for letter in value if letter not in _SEPARATORS)


def _folded(text: str) -> str:
    """In small letters, every one in its place."""
    low = text.lower()
    return low if len(low) == len(text) else "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
