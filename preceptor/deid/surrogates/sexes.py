"""What a text says of a person's sex: "her husband Tou", "Ms. Joy Park"."""

from __future__ import annotations

from collections.abc import Sequence

import regex

from preceptor.deid.surrogates import name_forms
from preceptor.deid.types import PEOPLE
from preceptor.records import Span

_RELATION = (
    r"(?:(?P<M>husband|husb|son|brother|bro|father|dad|grandfather|grandson|uncle|nephew|boyfriend|stepson|stepfather|mr)"
    r"|(?P<F>wife|daughter|dtr|sister|mother|mom|grandmother|granddaughter|aunt|niece|girlfriend|stepmother|mrs|ms|miss))"
)
_BEFORE = regex.compile(rf"\b{_RELATION}[.:,]?\s+(?:is\s+|named\s+)?$", regex.I)
_AFTER = regex.compile(rf"\s?(?:\(|, )(?:(?:his|her|pt'?s|the)\s+)?{_RELATION}\b", regex.I)
_TITLE = regex.compile(r"m(?:rs?|s|iss)\b", regex.I)


def told_sexes(texts: Sequence[str], spans: Sequence[Sequence[Span]]) -> dict[str, str]:
    """The sex of each folded first name as the words beside it say; the first saying counts."""
    told: dict[str, str] = {}
    for text, found in zip(texts, spans, strict=True):
        for s in found:
            if s.type not in PEOPLE:
                continue
            m = _BEFORE.search(text[max(0, s.start - 24) : s.start]) or _AFTER.match(text[s.end : s.end + 24])
            name = name_forms.read(text[s.start : s.end]) if m else None
            words = [w for w in name.own() if w.role == "name"] if name else []
            # After a title a single word is a surname; LAST, FIRST begins with one.
            if m and name and words and not (len(words) == 1 and _TITLE.match(m.group())):
                first = next((w for w in words if w.part), words[0]) if name.turned else words[0]
                told.setdefault(first.low, "M" if m["M"] else "F")
    return told
