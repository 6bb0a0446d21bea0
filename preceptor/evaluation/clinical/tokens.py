"""Words of a text with their places, in the form in which lexicons are compared."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

_TOKEN = re.compile(
    r"\b[A-Z](?: [A-Z]){1,5}\b(?!['’])|\d+(?:[.,]\d+)*|[A-Za-zÀ-ÿ]+(?:\.[A-Za-z]\b\.?)+|[A-Za-zÀ-ÿ]+\d*(?:['’][A-Za-z]+)?|[^\w\s]",
    re.UNICODE,
)
_KEPT = frozenset(("this", "his", "has", "was", "does", "as", "is", "us", "yes", "pancreas", "days", "lens"))


class Token(NamedTuple):
    """`text[start:end]` as it was written (`raw`) and without case, plural and possessive (`word`)."""

    word: str
    raw: str
    start: int
    end: int


@lru_cache(maxsize=200_000)
def stem(word: str) -> str:
    """Return a word without its case, dots, possessive and plural: "Fractures" and "fracture's" are "fracture"."""
    low = word.lower().replace("’", "'")
    if low.endswith("'s") and low not in ("it's", "he's", "she's", "that's", "there's"):
        low = low[:-2]
    if "." in low and any(letter.isalpha() for letter in low):
        low = low.replace(".", "")
    if len(low) < 4 or low in _KEPT or not low.endswith("s") or low.endswith(("ss", "us", "is")):
        return low
    return low[:-1]


def tokenise(text: str) -> list[Token]:
    """Return the words, numbers and signs of a text; hyphens part words, and letters that are spelled out are one ("U T I", as
    speech is written down)."""
    return [
        Token(stem(raw), raw, m.start(), m.end())
        for m in _TOKEN.finditer(text)
        if (raw := m[0].replace(" ", ""))
    ]


def words(phrase: str) -> tuple[str, ...]:
    """Return a phrase of a lexicon in the form in which texts are compared with it, without signs."""
    plain = phrase.replace("-", " ").split()
    if all(map(str.isalpha, plain)):  # nearly all of them: the open lists have 100,000
        return tuple(map(stem, plain))
    return tuple(token.word for token in tokenise(phrase) if token.word[0].isalnum())
