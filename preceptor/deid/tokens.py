"""Words of a note with their offsets, and how the note is cased."""

from __future__ import annotations

import unicodedata
from functools import lru_cache
from typing import NamedTuple

import regex

# A word may hold apostrophes and one-letter prefixes (O'Dowd, d'Angelo); hyphens join words, they are not in them.
_WORD = regex.compile(r"\p{L}[\p{L}\p{M}]*(?:['’]\p{L}[\p{L}\p{M}]*)*|\d+|[^\s\p{L}\d]")


class Token(NamedTuple):
    """`text[start:end]`: one word, one run of digits or one other character."""

    text: str
    start: int
    end: int

    @property
    def is_word(self) -> bool:
        return self.text[0].isalpha()

    @property
    def is_capitalised(self) -> bool:
        return self.text[0].isupper()

    @property
    def is_upper(self) -> bool:
        return len(self.text) > 1 and self.text.isupper()


@lru_cache(maxsize=64)
def tokenize(text: str) -> tuple[Token, ...]:
    """All tokens of a text in order; whitespace is left out."""
    return tuple(Token(m.group(), m.start(), m.end()) for m in _WORD.finditer(text))


def fold(text: str) -> str:
    """Case and accents removed, apostrophes made straight: what two spellings of one name have in common."""
    if text.isascii():  # nearly all words are; this is the engine's most frequent call
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold().replace("’", "'"))
    return "".join(c for c in decomposed if not unicodedata.combining(c)).replace("ø", "o").replace("ł", "l")


def case_style(text: str) -> str:
    """How a note or a line is written: `mixed`, `upper` (nearly all capitals) or `lower` (nearly none).

    Short stretches (fewer than 12 letters) say too little and count as mixed.
    """
    upper = sum(map(str.isupper, text))
    lower = sum(map(str.islower, text))
    if upper + lower < 12:
        return "mixed"
    if upper > 0.8 * (upper + lower):
        return "upper"
    return "lower" if upper < 0.012 * (upper + lower) else "mixed"
