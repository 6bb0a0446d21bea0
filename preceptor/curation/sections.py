"""The sections of a note: titles on lines of their own or before a colon, and what stands under each."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

# `ASSESSMENT AND PLAN`, `Impression:`, `## Findings`, `PLAN: rest tonight`. Five words at most: a longer line that ends
# with a colon is a sentence.
_TITLE = re.compile(
    r"^[ \t]*(?:#{1,4}[ \t]*)?(?P<title>[A-Za-z][A-Za-z/&'-]*(?:[ \t]+[A-Za-z/&'()-]+){0,4})[ \t]*"
    r"(?:(?P<colon>:)(?P<rest>.*)|)$",
    re.M,
)


class Section(NamedTuple):
    """`title` in lower case with single blanks, "" before the first title; `text[start:end]` is title and body."""

    title: str
    body: str
    start: int
    end: int


def sections(text: str) -> list[Section]:
    """Cut a note at its titles. Every character belongs to one section; a note without titles is one section.

    A line counts as a title if it is in capitals, or begins with a capital and ends with a colon, or is in capitals
    before a colon with text behind it.
    """
    titles = [m for m in _TITLE.finditer(text) if _is_title(m)]
    cuts = [(0, 0, ""), *((m.start(), _body(m), _plain(m["title"])) for m in titles)]
    ends = [start for start, _, _ in cuts[1:]] + [len(text)]
    found = [
        Section(title, text[body:end].strip(), start, end)
        for (start, body, title), end in zip(cuts, ends, strict=True)
    ]
    return [s for s in found if s.title or s.body]


def named(text: str, titles: Collection[str]) -> Section | None:
    """The first section with one of these titles and something under it; None without one."""
    wanted = {_plain(title) for title in titles}
    return next((s for s in sections(text) if s.title in wanted and s.body), None)


def _is_title(match: re.Match[str]) -> bool:
    title, rest = match["title"], match["rest"]
    hashed = match[0].lstrip().startswith("#")
    if rest is None:
        return hashed or (title.isupper() and len(title) > 3)
    return title.isupper() or (not rest.strip() and title[0].isupper()) or hashed


def _body(match: re.Match[str]) -> int:
    return match.start("rest") if match["colon"] else match.end()


def _plain(title: str) -> str:
    return " ".join(re.sub(r"[^a-z/&' ()-]", " ", title.lower()).replace("&", "and").split())
