"""HTML pages, as portals and viewers print them."""

from __future__ import annotations

from preceptor.documents.markup import flow, parse_html
from preceptor.documents.text import tidy
from preceptor.records import ParsedDocument, ParsedFile


def read(data: bytes) -> ParsedFile:
    """Return the visible text of a page as one document; scripts, styles and the head are dropped.

    Raises `UnreadableFile` for a page that cannot be parsed.
    """
    return ParsedFile((ParsedDocument(tidy(flow(parse_html(data)))),))
