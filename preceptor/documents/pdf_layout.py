"""Lines of a PDF page in reading order: rows across the page, columns of prose one after the other.

    Left column begins     right column begins       is read as    Left column begins
    and goes on here.      and goes on, too.                       and goes on here.
                                                                   right column begins
                                                                   and goes on, too.

    Sodium                 140 mmol/L                stays         Sodium   140 mmol/L

What tells prose from a table is that its lines fill their column. Coordinates are PDF's: points, y upwards.
"""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_MIN_COLUMN_LINES = 5  # on each side; fewer lines side by side are a table or a letterhead
_MIN_COLUMN_WORDS = 3.0  # a line, on average
_MIN_FILLED = 0.6  # of the column's width, the median line
_MIN_SHARE = 0.2  # of the text's width that each side must have
_EDGE = 4.0  # points within which fragments begin at one edge
_ZONE = 4  # lines at the top and bottom of a page that may be header and footer
_PAGE_NUMBER = re.compile(r"(?:\bpage\s*:?\s*|^\W*)(\d+)(?:\s*(?:of|/)\s*\d+)?(?=\W*$|\s{2})", re.IGNORECASE)
_LABEL = re.compile(r"[^:]{1,30}:\s")
_PRINTED = re.compile(r"\bprint", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fragment:
    """A run of text on one line, with its box."""

    left: float
    bottom: float
    right: float
    top: float
    text: str


Line = list[Fragment]  # from left to right


def page_lines(fragments: Sequence[Fragment]) -> list[str]:
    """The lines of a page in reading order. Wide gaps inside a line become three spaces."""
    return [_joined(line) for line in _ordered(_lines(fragments))]


def without_running_lines(pages: Sequence[Sequence[str]]) -> list[list[str]]:
    """Pages without the headers and footers that repeat: a header stays on its first page, a footer on its last.

    A line counts as repeated if it stands at the same end of most pages, its page number and the time of printing
    apart; no other number may differ, since a line of values is no footer.
    """
    numbered = list(enumerate(pages, 1))
    heads = _repeated([[_key(line, n) for line in page[:_ZONE]] for n, page in numbered])
    feet = _repeated([[_key(line, n) for line in page[-_ZONE:]] for n, page in numbered])
    seen: set[str] = set()
    kept = [(n, _drop(list(page), n, heads, seen)) for n, page in numbered]
    seen = set()
    return [_drop(page[::-1], n, feet, seen)[::-1] for n, page in kept[::-1]][::-1]


def _key(line: str, page: int) -> str:
    """What is the same on every page of a header or footer line."""

    def number(match: re.Match[str]) -> str:
        return "#" if int(match[1]) == page else match[0]

    key = " ".join(_PAGE_NUMBER.sub(number, line).split())
    return re.sub(r"\d", "#", key) if _PRINTED.search(key) else key


def _repeated(zones: list[list[str]]) -> set[str]:
    counts = Counter(key for zone in zones for key in set(zone))
    return {key for key, count in counts.items() if key and count >= 2 and count > len(zones) / 2}


def _drop(lines: list[str], page: int, repeated: set[str], seen: set[str]) -> list[str]:
    """Lines without those at the beginning that are repeated and were seen on another page."""
    kept: list[str] = []
    for place, line in enumerate(lines):
        key = _key(line, page)
        if place >= _ZONE or (key not in repeated and line.strip()):
            return kept + lines[place:]
        if key not in seen:
            seen.add(key)
            kept.append(line)
    return kept


def _lines(fragments: Sequence[Fragment]) -> list[Line]:
    """Fragments whose middles stand at one height, from the top down."""
    lines: list[Line] = []
    middle = 0.0
    for fragment in sorted(fragments, key=lambda f: -(f.top + f.bottom)):
        here = (fragment.top + fragment.bottom) / 2
        if lines and middle - here < 0.5 * max(fragment.top - fragment.bottom, 4.0):
            lines[-1].append(fragment)
        else:
            lines.append([fragment])
            middle = here
    return [sorted(line, key=lambda f: f.left) for line in lines]


def _joined(line: Line) -> str:
    said = ""
    for before, fragment in zip([None, *line], line, strict=False):
        if before is not None:
            gap = fragment.left - before.right
            letter = (fragment.right - fragment.left) / max(len(fragment.text), 1)
            if gap > 3 * letter:
                said += "   "
            elif gap > 0.2 * letter and not said.endswith(" "):
                said += " "
        said += fragment.text
    return said


def _ordered(lines: list[Line]) -> Iterator[Line]:
    """Lines with the largest block of columns among them read column by column, and so on inside and around it."""
    found = _columns(lines)
    if found is None:
        yield from lines
        return
    first, last, gutter = found
    yield from _ordered(lines[:first])
    for side in (True, False):
        column = [[f for f in line if (f.right <= gutter) is side] for line in lines[first:last]]
        yield from _ordered([line for line in column if line])
    yield from _ordered(lines[last:])


def _columns(lines: list[Line]) -> tuple[int, int, float] | None:
    """The largest block of lines with two columns of prose: first line, line behind the last, and the gutter."""
    best: tuple[int, tuple[int, int, float]] | None = None
    for gutter in _gutters(lines):
        for first, last in _uncrossed(lines, gutter):
            first = _below_grid(lines, first, last, gutter)
            if _is_prose(lines[first:last], gutter) and (best is None or last - first > best[0]):
                best = (last - first, (first, last, gutter))
    return best[1] if best else None


def _gutters(lines: list[Line]) -> list[float]:
    """Places just left of where many fragments begin, the page's left edge apart."""
    fragments = [f for line in lines for f in line]
    if not fragments:
        return []
    left, right = min(f.left for f in fragments), max(f.right for f in fragments)
    margin = _MIN_SHARE * (right - left)
    starts = sorted(f.left for f in fragments if left + margin < f.left < right - margin)
    # Boxes are those of letters, whose left edges differ by a point or two.
    return sorted(
        {
            start - 1.0
            for place, start in enumerate(starts)
            if sum(s < start + _EDGE for s in starts[place : place + _MIN_COLUMN_LINES]) == _MIN_COLUMN_LINES
            and (place == 0 or starts[place - 1] < start - _EDGE / 2)
        }
    )


def _uncrossed(lines: list[Line], gutter: float) -> Iterator[tuple[int, int]]:
    """Runs of lines in which nothing stands across a gutter."""
    first = None
    for number, line in enumerate([*lines, None]):
        crossed = line is None or any(f.left < gutter < f.right for f in line)
        if not crossed and first is None:
            first = number
        elif crossed and first is not None:
            yield first, number
            first = None


def _below_grid(lines: list[Line], first: int, last: int, gutter: float) -> int:
    """Pass over rows above the columns: labels and values side by side, or a short title."""
    full = [
        max((_width(_side(line, gutter, left)) for line in lines[first:last]), default=0.0)
        for left in (True, False)
    ]
    while first < last:
        sides = [_side(lines[first], gutter, left) for left in (True, False)]
        if all(not side or _width(side) >= 0.5 * most for side, most in zip(sides, full, strict=True)):
            return first
        first += 1
    return first


def _side(line: Line, gutter: float, left: bool) -> Line:
    return [f for f in line if (f.right <= gutter) is left]


def _width(side: Line) -> float:
    return side[-1].right - side[0].left if side else 0.0


def _is_prose(lines: list[Line], gutter: float) -> bool:
    for left in (True, False):
        sides = [side for line in lines if (side := _side(line, gutter, left))]
        if len(sides) < _MIN_COLUMN_LINES:
            return False
        widths = [_width(side) for side in sides]
        words = [len(_joined(side).split()) for side in sides]
        if (
            statistics.median(widths) < _MIN_FILLED * max(widths)
            or statistics.mean(words) < _MIN_COLUMN_WORDS
        ):
            return False
        if sum(bool(_LABEL.match(_joined(side))) for side in sides) > 0.5 * len(sides):
            return False
        # Cells of a table stand apart inside their side; words of prose do not, unless it is columns again.
        if sum("   " in _joined(side) for side in sides) > 0.3 * len(sides) and _columns(sides) is None:
            return False
    return True
