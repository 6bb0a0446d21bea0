"""Identifiers in what a model wrote that it was not shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from preceptor.deid.searching import Searchable
from preceptor.deid.spans import resolve
from preceptor.deid.types import DIRECT
from preceptor.records import Span

_SHORTEST = 4  # characters of a find that counts: shorter ones stand in any text


def unshown(text: str, spans: Sequence[Span], shown: Searchable) -> Iterator[tuple[str, str]]:
    """Type and value of each direct identifier among the finds in a text that does not stand in what was `shown`."""
    for span in resolve(spans, text):
        value = text[span.start : span.end]
        if span.type in DIRECT and len(value) >= _SHORTEST and not shown.has(value):
            yield span.type, value
