"""What the network knows of a token: rows of numbers that stand for its letters, shape, lexicons and place.

"Dr. Quill, 3/14"  ->  tokens  Dr  .  Quill  ,  3  /  14      each with
    form quill · beginning qui · end ill · shape Xx · lexicon "rare surname, no English word" · layout "after a blank"

Words are hashed into tables, so that there is no vocabulary to keep, and a name that training never saw still has an
end, a shape, what the lexicons say of it and the vectors of its kind (meanings.py).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from preceptor.deid.tagger.meanings import meaning_rows
from preceptor.deid.tokens import Token, fold
from preceptor.deid.words import (
    clinical_words,
    first_name_rank,
    is_english,
    is_ordinary,
    lexicon,
    surname_rank,
)

# Rows of each table; row 0 of all is "nothing here".
TABLES = {
    "form": 1 << 14,
    "beginning": 1 << 12,
    "end": 1 << 12,
    "shape": 1 << 9,
    "lexicon": 1 << 10,
    "layout": 1 << 7,
}
VECTOR_COLUMNS = (
    "lower",
    "capital",
)  # rows of the word vectors: of the word in lower case, and with a capital
COLUMNS = (*TABLES, *VECTOR_COLUMNS)

_LONG_RUN = re.compile(r"(.)\1{2,}", re.S)
_LAYOUT = COLUMNS.index("layout")
_OF_WORD = [n for n in range(len(COLUMNS)) if n != _LAYOUT]
Rows = npt.NDArray[np.int32]  # (tokens, columns)


def rows(text: str, tokens: Sequence[Token]) -> Rows:
    """The features of every token: (tokens, 8), the columns `COLUMNS`."""
    found = np.empty((len(tokens), len(COLUMNS)), np.int32)
    layouts, ends = [], 0
    for token in tokens:
        layouts.append(_layout(text, ends, token))
        ends = token.end
    if tokens:
        found[:, _OF_WORD] = [word_features(token.text) for token in tokens]
        found[:, _LAYOUT] = layouts
    return found


@lru_cache(maxsize=1 << 17)
def word_features(word: str) -> tuple[int, ...]:
    """All columns but the layout; they depend on nothing but the word itself."""
    plain = fold(word)
    form = "0" * len(plain) if plain.isdigit() and len(plain) > 2 else plain
    is_word = word[0].isalpha()
    return (
        _row("form", form), _row("beginning", form[:3]), _row("end", form[-3:]), _row("shape", shape(word)),
        _row("lexicon", lexicon_class(plain) if is_word else ""),
        *(meaning_rows(plain.removesuffix("'s")) if is_word else (0, 0)),
    )  # fmt: skip


def shape(word: str) -> str:
    """The kinds of a word's characters, runs of more than two cut short: `McGee` XxXxx, `ADA` XX, `2024` 0000."""
    if word.isdigit():
        return "0" * min(len(word), 12)
    kinds = "".join("X" if c.isupper() else "x" if c.isalpha() else "0" if c.isdigit() else c for c in word)
    return _LONG_RUN.sub(r"\1\1", kinds)[:10] + ("." if len(word) == 1 and word.isalpha() else "")


def lexicon_class(plain: str) -> str:
    """What the lexicons say of a folded word, as one string."""
    base = plain.removesuffix("'s")
    marks = [
        _band(first_name_rank(base), (100, 500, 2000)),
        _band(surname_rank(base), (500, 5000, 30000)),
        "e" if is_english(base) else "",
        "o" if is_ordinary(base) else "",
        "c" if base in clinical_words() else "",
        "p" if base in _cities() else "",
        "n" if base in lexicon("note_words") else "",
        "r" if base in lexicon("relations") else "",
        "s" if base in lexicon("staff") or base in lexicon("credentials") else "",
        "j" if base in lexicon("occupations") else "",
    ]
    return "".join(marks) + ":"


@lru_cache(maxsize=1)
def _cities() -> frozenset[str]:
    """The single words of names of cities that are long enough to say something."""
    return frozenset(word for name in lexicon("cities") for word in name.split() if len(word) > 3)


def _band(rank: int, bounds: tuple[int, ...]) -> str:
    return str(sum(rank > bound for bound in bounds)) if rank < 10**6 else "-"


def _layout(text: str, before: int, token: Token) -> int:
    """Where a token stands: after a new line, a wide gap, a blank or nothing; before the end of a line or more."""
    gap = text[before : token.start]
    if "\n" in gap or token.start == before == 0:
        lead = 3 if gap.count("\n") < 2 else 4
    else:
        lead = 2 if len(gap) > 1 else 1 if gap else 0
    after = text[token.end : token.end + 2]
    tail = 0 if not after or after[0] == "\n" else 2 if after.isspace() and len(after) > 1 else 1
    return 1 + lead * 3 + tail


def _row(table: str, value: str) -> int:
    """A row of a table for a value; stable over processes and machines, unlike `hash`."""
    return 1 + zlib.crc32(value.encode()) % (TABLES[table] - 1)
