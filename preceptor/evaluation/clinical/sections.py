"""The sections of a written document: which there are, and in which order."""

from __future__ import annotations

import re

_LINE = re.compile(
    r"^[ \t]*(?:#{1,6}[ \t]*|\*\*|__)?([A-Z][A-Za-z /&-]{1,40}?)(?:\*\*|__)?[ \t]*(?::|(?<=\*\*)$|$)(?:\*\*|__)?",
    re.M,
)
_MARKED = re.compile(r"^[ \t]*(?:#|\*\*|__)|:")


def headings(text: str) -> list[str]:
    """Return the headings of a text in lower case, each once: a line's beginning up to a colon, or a line in Markdown's marks.

    >>> headings("**Plan:** rest\\n## History of illness\\nNo fever\\nPlan: more")
    ['plan', 'history of illness']
    """
    found = (match[1].strip().lower() for match in _LINE.finditer(text) if _MARKED.search(match[0]))
    return list(dict.fromkeys(found))


def order(reference: str, answer: str) -> float | None:
    """Return the share of the headings that both have which stand in the reference's order: the longest common subsequence over
    their number. None with fewer than two in common."""
    ours = headings(answer)
    wanted = [heading for heading in headings(reference) if heading in ours]
    given = [heading for heading in ours if heading in wanted]
    if len(wanted) < 2:
        return None
    row = [0] * (len(given) + 1)
    for heading in wanted:
        before = 0
        for place, other in enumerate(given, 1):
            before, row[place] = (
                row[place],
                before + 1 if heading == other else max(row[place], row[place - 1]),
            )
    return row[-1] / len(wanted)


def length_ratio(reference: str, answer: str) -> float:
    """Return the shorter text's number of words over the longer's: 1 for the same length."""
    lengths = sorted((len(reference.split()), len(answer.split())))
    return lengths[0] / lengths[1] if lengths[1] else 1.0
