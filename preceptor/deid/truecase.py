"""Copies of a text, letter for letter as long, that recognisers read more easily than the original."""

from __future__ import annotations

import regex

from preceptor.deid.tokens import case_style, tokenize
from preceptor.deid.words import is_ordinary

_LETTER_FOR_DIGIT = str.maketrans("015|", "olsl")
_DIGIT_FOR_LETTER = str.maketrans("OolI|", "00111")
_MIXED = regex.compile(r"(?<![\w-])[\p{L}\d|]{2,}(?:-[\p{L}\d|]{2,})?(?![\w])")


def truecased(text: str) -> str | None:
    """The note with names capitalised and ordinary words small, where it is all capitals or all small; else None."""
    if case_style(text) == "mixed":
        return None
    pieces, at = [], 0
    for token in tokenize(text):
        pieces.append(text[at : token.start])
        word = token.text
        if token.is_word and len(word) > 1:
            word = word.lower() if is_ordinary(word) else word[0].upper() + word[1:].lower()
        pieces.append(word if len(word) == len(token.text) else token.text)
        at = token.end
    pieces.append(text[at:])
    return "".join(pieces)


def descanned(text: str) -> str | None:
    """The note with digits in words read as letters and letters in numbers as digits, if a scan mixed them up.

    Only a note in which at least three words of letters hold a 0 or a 1 within counts as scanned; else None.
    """
    hits = regex.findall(r"(?<![\w-])(?=[\p{L}]*[01])\p{L}+[01]+\p{L}{2,}(?![\w-])", text)
    if len(hits) < 3:
        return None

    def read(match: regex.Match) -> str:
        word = match.group()
        letters, digits = sum(c.isalpha() for c in word), sum(c.isdigit() for c in word)
        like_digits = sum(c in "OolI|" for c in word)
        if letters and digits and letters - like_digits >= digits:
            copy = word.translate(_LETTER_FOR_DIGIT)
            return copy.upper() if word.isupper() else copy
        if digits and letters == like_digits:
            return word.translate(_DIGIT_FOR_LETTER)
        return word

    return _MIXED.sub(read, text)
