"""Making one list of sorted, separate spans out of what many recognisers say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import regex

from preceptor.deid.types import NUMBERS, PEOPLE, PLACES, same_family
from preceptor.records import Span

TAGGER = "tagger"  # the source of the network's spans
RECORD = "record."  # what those of the patient's record begin with
_CERTAIN = 0.8
_BY_PLACE = PEOPLE | PLACES  # a name's form says little
_A_WORD = regex.compile(r"[\p{L}\d]{3}")
_A_LETTER = regex.compile(r"[\p{L}\d]")
_EDGE = " \t\r\n.,;:()[]{}<>\"'“”‘’*_|/-=–—"


def trimmed(span: Span, text: str) -> Span | None:
    """The span without blanks and punctuation at its edges, or nothing if nothing is left."""
    start, end = span.start, span.end
    while start < end and text[start] in _EDGE:
        start += 1
    while end > start and text[end - 1] in _EDGE:
        end -= 1
    # A telephone number keeps its parenthesis.
    if start and text[start - 1] == "(" and ")" in text[start:end]:
        start -= 1
    return Span(start, end, span.type, span.score, span.source) if end > start else None


def _has_form(span: Span) -> bool:
    """Whether a rule or the record knows it by its form: then that says best where it ends and what it is."""
    return span.source != TAGGER and span.score >= _CERTAIN and span.type not in _BY_PLACE


def resolve(spans: Iterable[Span], text: str) -> list[Span]:
    """Overlaps settled: kin types are joined, others go to what a rule knows by its form, the higher score, the longer span.

    A weaker span that sticks out keeps the part outside, so that nothing found is uncovered again.
    """
    clean = [t for s in spans if (t := trimmed(s, text))]
    clean.sort(key=lambda s: (not _has_form(s), -s.score, s.start - s.end, s.start))
    kept: list[Span] = []
    for span in clean:
        touched = [k for k in kept if k.start < span.end and span.start < k.end]
        if not touched:
            kept.append(span)
            continue
        pieces = [(span.start, span.end)]
        for other in touched:
            pieces = [p for a, b in pieces for p in _minus(a, b, other)]
        kin = [k for k in touched if same_family(k.type, span.type)]
        if kin and (len(kin) == 1 or span.type in NUMBERS):  # two people under one span stay two
            low, high = min(span.start, *(k.start for k in kin)), max(span.end, *(k.end for k in kin))
            joined = set(map(id, kin))
            others = [k for k in kept if id(k) not in joined]
            if all(k.end <= low or k.start >= high for k in others) and "\n" not in text[low:high].strip():
                kept = [*others, Span(low, high, kin[0].type, kin[0].score, kin[0].source)]
                continue
        for a, b in pieces:
            piece = trimmed(Span(a, b, span.type, span.score, span.source), text)
            if piece and ((a, b) == (span.start, span.end) or _A_WORD.search(text, piece.start, piece.end)):
                kept.append(piece)
    recorded = [s for s in clean if s.source.startswith(RECORD) and s.type in PEOPLE]
    return sorted((_as_recorded(s, recorded, text) for s in kept), key=lambda s: s.start)


def _as_recorded(span: Span, recorded: list[Span], text: str) -> Span:
    """Who somebody is the record knows best, where every word of the name is one of theirs."""
    if span.type not in PEOPLE or not recorded:
        return span
    inside = [s for s in recorded if span.start <= s.start and s.end <= span.end]
    types = {s.type for s in inside}
    if len(types) != 1 or types == {span.type}:
        return span
    pieces = [(span.start, span.end)]
    for one in inside:
        pieces = [p for a, b in pieces for p in _minus(a, b, one)]
    if any(_A_LETTER.search(text, a, b) for a, b in pieces):
        return span
    return replace(span, type=types.pop())


def _minus(a: int, b: int, other: Span) -> list[tuple[int, int]]:
    if other.end <= a or other.start >= b:
        return [(a, b)]
    return [(x, y) for x, y in ((a, other.start), (other.end, b)) if y > x]
