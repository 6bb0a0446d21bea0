"""What was found once in a patient's documents is found everywhere in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import regex

from preceptor.deid.name_matching import NameFinder, name_words
from preceptor.deid.tokens import case_style, fold
from preceptor.deid.types import DIRECT, NUMBERS, PEOPLE, REPEATED
from preceptor.deid.words import clinical_words, is_ordinary, lexicon
from preceptor.records import Span

_SOURCE = "consistency"
_CERTAIN = 0.5  # a name found with less is not looked for elsewhere
_SAID_BY_FORM = NUMBERS | {"EMAIL", "URL", "USERNAME", "STREET"}


class Repeats:
    """Finds again, in any text of a patient, what spans of these texts cover."""

    def __init__(self, texts: Sequence[str], spans: Sequence[Iterable[Span]]) -> None:
        people: dict[tuple[str, ...], str] = {}
        values: dict[str, str] = {}
        for text, found in zip(texts, spans, strict=True):
            for s in found:
                value = text[s.start : s.end]
                if s.type in PEOPLE:
                    if s.score >= _CERTAIN and (words := _telling_words(value)):
                        people.setdefault(words, s.type)
                elif _is_telling(s.type, value):
                    values.setdefault(value, s.type)
        self._names = NameFinder([(kind, words) for words, kind in people.items()], _SOURCE)
        self._values = [(value.casefold().split(), kind) for value, kind in values.items()]

    def find(self, text: str) -> list[Span]:
        """The spans in a text."""
        found = self._names.find(text)
        low, mixed = text.casefold(), case_style(text) == "mixed"
        if len(low) != len(text):  # a letter that folds into two: offsets would be off
            low = text.lower() if len(text.lower()) == len(text) else text
        for words, kind in self._values:
            for start, end in _occurrences(words, low):
                if kind in NUMBERS or not mixed or text[start].isupper() or not is_ordinary(words[0]):
                    found.append(Span(start, end, kind, 0.7, _SOURCE))
        return found


def _telling_words(name: str) -> tuple[str, ...]:
    """The words of a name that say whose it is; an ordinary word does so only in a whole name."""
    whole = name_words(name)
    return tuple(
        word
        for word in whole
        if len(word) >= 3
        and fold(word) not in lexicon("relations")
        and fold(word) not in clinical_words()
        and (len(whole) > 1 or not is_ordinary(word))
    )


def _is_telling(kind: str, value: str) -> bool:
    if kind not in REPEATED or len(value) < (3 if kind in DIRECT else 4):
        return False
    if kind in NUMBERS and sum(c.isdigit() for c in value) < 4 and not regex.search(r"\p{L}", value):
        return False
    return kind in _SAID_BY_FORM or not all(is_ordinary(word) for word in value.split())


def _occurrences(words: Sequence[str], text: str) -> Iterable[tuple[int, int]]:
    """Where the words follow each other in a text, blanks of any kind between them, no letter or digit around them."""
    start = text.find(words[0])
    while start >= 0:
        end = start + len(words[0])
        for word in words[1:]:
            after = end
            while after < len(text) and text[after].isspace():
                after += 1
            if after == end or not text.startswith(word, after):
                break
            end = after + len(word)
        else:
            if not (text[start - 1 : start].isalnum() or text[end : end + 1].isalnum()):
                yield start, end
        start = text.find(words[0], start + 1)
