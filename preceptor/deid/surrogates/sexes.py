"""What a text says of a person's sex: "her husband Tou", "Ms. Joy Park"."""

from __future__ import annotations

from collections.abc import Sequence

import regex

from preceptor.deid.record_matching import name_words
from preceptor.deid.tokens import fold
from preceptor.deid.types import PEOPLE
from preceptor.records import Span

_BEFORE = regex.compile(
    r"\b(?:(?P<M>husband|husb|son|brother|bro|father|dad|grandfather|grandson|uncle|nephew|boyfriend|stepson|stepfather|mr)"
    r"|(?P<F>wife|daughter|dtr|sister|mother|mom|grandmother|granddaughter|aunt|niece|girlfriend|stepmother|mrs|ms|miss))"
    r"\.?,?\s+(?:is\s+|named\s+)?$",
    regex.I,
)


def told_sexes(texts: Sequence[str], spans: Sequence[Sequence[Span]]) -> dict[str, str]:
    """The sex of each folded first name as the word before it says; the first saying counts."""
    told: dict[str, str] = {}
    for text, found in zip(texts, spans, strict=True):
        for s in found:
            words = name_words(text[s.start : s.end]) if s.type in PEOPLE else []
            m = _BEFORE.search(text[max(0, s.start - 24) : s.start]) if words else None
            # After a title a single word is a surname.
            titled = m and regex.match(r"(?i)m(?:rs?|s|iss)\b", m.group().strip())
            if m and not (titled and len(words) == 1):
                told.setdefault(fold(words[0]), "M" if m["M"] else "F")
    return told
