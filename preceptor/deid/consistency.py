"""What was found once in a patient's documents is found everywhere in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import regex

from preceptor.deid.merging import merge
from preceptor.deid.recognizers.name_runs import is_never_name
from preceptor.deid.recognizers.veto import is_clinical_use
from preceptor.deid.tokens import fold
from preceptor.deid.types import NUMBERS, PEOPLE, REPEATED
from preceptor.deid.words import is_ordinary
from preceptor.records import Span

_SPREAD_FROM = 0.6  # a guess below this does not spread to the other documents
_SOURCE = "Consistency"


def spread(texts: Sequence[str], found: Sequence[list[Span]]) -> list[list[Span]]:
    """The spans of all texts of one patient, with every repetition of a found identifier added.

    Case is ignored, words are bounded; an ordinary word ("Long", "Grace") is only taken where it is capitalised as
    it was when found and stands within a sentence.
    """
    values = _values(texts, found)
    loose, strict = _patterns(values)
    spread_spans = []
    for text, spans in zip(texts, found, strict=True):
        added = []
        for pattern, exact in ((loose, False), (strict, True)):
            for match in pattern.finditer(text) if pattern else ():
                key = match.group() if exact else _key(match.group())
                if exact and not regex.search(r"[\p{Ll}\d,;(][ (]*$", text[max(0, match.start() - 3) : match.start()]):
                    continue
                if not exact and is_clinical_use(text, *match.span()):
                    continue
                added.append(Span(*match.span(), values[key], 0.55, _SOURCE))
        spread_spans.append(merge(text, [*spans, *added]))
    return _retyped(texts, spread_spans)


def _key(value: str) -> str:
    return fold(regex.sub(r"\s+", " ", value))


def _values(texts: Sequence[str], found: Sequence[list[Span]]) -> dict[str, str]:
    """Value to look for -> type. Folded for what may be found in any case; as written for ordinary words."""
    values: dict[str, str] = {}
    for text, spans in zip(texts, found, strict=True):
        for span in spans:
            if span.type not in REPEATED or span.score < _SPREAD_FROM:
                continue
            value = text[span.start : span.end]
            if span.type in PEOPLE:
                for word in regex.findall(r"[\p{L}][\p{L}\p{M}'’]+", value):
                    if len(word) < 3 or is_never_name(word):
                        continue
                    values.setdefault(word if is_ordinary(word) else fold(word), span.type)
            elif span.type in NUMBERS:
                if sum(c.isdigit() for c in value) >= 4:
                    values.setdefault(_key(value), span.type)
            elif len(value) >= 4:
                words = regex.findall(r"\p{L}+", value)
                ordinary = all(is_ordinary(w) for w in words)
                if not ordinary:
                    values.setdefault(_key(value), span.type)
                elif len(words) > 1:
                    values.setdefault(value, span.type)
    return values


def _patterns(values: dict[str, str]) -> tuple[regex.Pattern | None, regex.Pattern | None]:
    loose = [v for v in values if v == _key(v)]
    strict = [v for v in values if v != _key(v)]

    def build(words: list[str], flags: int) -> regex.Pattern | None:
        if not words:
            return None
        spelled = "|".join(regex.escape(w).replace(r"\ ", r"\s+") for w in sorted(words, key=len, reverse=True))
        return regex.compile(rf"(?<![\p{{L}}\d])(?:{spelled})(?![\p{{L}}\d])", flags)

    return build(loose, regex.I), build(strict, 0)


def _retyped(texts: Sequence[str], found: list[list[Span]]) -> list[list[Span]]:
    """Give people whom nothing typed (RELATIVE by default) the type that their name has elsewhere."""
    votes: dict[str, Counter[str]] = {}
    for text, spans in zip(texts, found, strict=True):
        for span in spans:
            if span.type in PEOPLE and span.source.startswith(("Cued", "Record")):
                for word in regex.findall(r"\p{L}{3,}", text[span.start : span.end]):
                    votes.setdefault(fold(word), Counter())[span.type] += 3 if span.source == "Record" else 1
    retyped = []
    for text, spans in zip(texts, found, strict=True):
        new = []
        for span in spans:
            if span.type in PEOPLE and not span.source.startswith(("Cued", "Record")):
                words = [fold(w) for w in regex.findall(r"\p{L}{3,}", text[span.start : span.end])]
                known = [votes[w].most_common(1)[0][0] for w in reversed(words) if w in votes]
                if known:
                    span = Span(span.start, span.end, known[0], span.score, span.source)
            new.append(span)
        retyped.append(new)
    return retyped
