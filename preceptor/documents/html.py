"""HTML pages, as portals and viewers print them."""

from __future__ import annotations

from preceptor.documents.markup import flow, parse_html
from preceptor.documents.text import tidy
from preceptor.records import ParsedDocument


def read(data: bytes) -> list[ParsedDocument]:
    """Return the visible text of a page as one document; scripts, styles and the head are dropped.

    Raises `UnreadableFile` for a page that cannot be parsed.
    """
    return [ParsedDocument(tidy(flow(parse_html(data))))]
