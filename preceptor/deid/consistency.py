"""What was found once in a patient's documents is found everywhere in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import regex

from preceptor.deid.name_matching import NameFinder, name_words
from preceptor.deid.searching import Searchable
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
        self._values = [(value.split(), kind) for value, kind in values.items()]

    def find(self, text: str) -> list[Span]:
        """The spans in a text."""
        found = self._names.find(text)
        searchable, mixed = Searchable(text), case_style(text) == "mixed"
        for words, kind in self._values:
            for start, end in searchable.phrases(words):
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
