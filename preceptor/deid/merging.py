"""Many overlapping finds made into one list of spans that do not overlap."""

from __future__ import annotations

from collections.abc import Iterable

import regex

from preceptor.deid.types import PEOPLE, same_family
from preceptor.records import Span

_REST = regex.compile(r"[\p{L}\d][\p{L}\d'’ .,-]*[\p{L}\d]|[\p{L}\d]")
_SURE = 0.6  # what sticks out of a better span is kept from this score on


def merge(text: str, found: Iterable[Span]) -> list[Span]:
    """The spans that remain, sorted. The better score wins, then the longer; kin are joined; what a loser covers
    beyond the winner stays a span of its own if it was sure enough: a letter once found is not given back."""
    ordered = sorted(found, key=lambda s: (-_rank(text, s), s.start - s.end, s.start))
    taken: list[Span] = []
    for span in ordered:
        overlapping = [t for t in taken if t.start < span.end and span.start < t.end]
        if not overlapping:
            taken.append(span)
        elif len(overlapping) == 1 and same_family(overlapping[0].type, span.type) and _may_join(text, overlapping[0], span):
            winner = overlapping[0]
            joined = Span(min(winner.start, span.start), max(winner.end, span.end), winner.type, winner.score, winner.source)
            others = [t for t in taken if t is not winner and t.start < joined.end and joined.start < t.end]
            if not others:
                taken[taken.index(winner)] = joined
        elif span.score >= _SURE:
            taken += _remainders(text, span, overlapping)
    return sorted(taken, key=lambda s: s.start)


def _rank(text: str, span: Span) -> float:
    """The score, with a date that names a day above a name that is but its month ("May 8" and Mr. May)."""
    if span.type == "DATE" and span.score >= 0.85 and any(c.isdigit() for c in text[span.start : span.end]):
        return 0.995
    return span.score


def _may_join(text: str, winner: Span, other: Span) -> bool:
    joined = text[min(winner.start, other.start) : max(winner.end, other.end)]
    if "\n" in joined or "  " in joined and winner.type in PEOPLE:
        return False
    return other.score >= 0.45


def _remainders(text: str, span: Span, overlapping: list[Span]) -> list[Span]:
    pieces = [(span.start, span.end)]
    for taken in overlapping:
        pieces = [
            part
            for start, end in pieces
            for part in ((start, min(end, taken.start)), (max(start, taken.end), end))
            if part[0] < part[1]
        ]
    kept = []
    for start, end in pieces:
        for match in _REST.finditer(text, start, end):
            if sum(c.isalnum() for c in match.group()) > 1:
                kept.append(Span(match.start(), match.end(), span.type, span.score, span.source))
    return kept
