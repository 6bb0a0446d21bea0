"""ICD-10-CM as its tabular list has it: which codes there are, and which exclude one another.

The list is public domain (CDC/NCHS) and comes with the package simple-icd-10-cm.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from itertools import combinations

# `I11.0`, `J09-J18`, `E08.0-`, in the parentheses at the end of a note
_SEVENTH = len("S52.501A")
_REFERENCE = re.compile(
    r"([A-Z]\d[0-9A-Z](?:\.[0-9A-Z]{1,4})?)(?:\.?-(?:([A-Z]\d[0-9A-Z](?:\.[0-9A-Z]{1,4})?))?)?"
)


def unknown(codes: Sequence[str]) -> list[str]:
    """The codes that the list does not have."""
    return [code for code in codes if not _known(code)]


def contradictory(codes: Sequence[str]) -> list[tuple[str, str]]:
    """The pairs of codes of which one excludes the other (Excludes1: "not coded here", the two cannot occur together)."""
    good = [code for code in dict.fromkeys(codes) if _known(code)]
    return [(a, b) for a, b in combinations(good, 2) if _excludes(a, b) or _excludes(b, a)]


def family(code: str) -> list[str]:
    """A code and the other codes below its parent that can be billed, but for those of other episodes of care (a seventh
    character); none for a code that the list does not have."""
    import simple_icd_10_cm as icd

    if not _known(code):
        return []
    siblings = icd.get_children(icd.get_parent(code)) if "." in code else []
    return [
        item
        for item in dict.fromkeys([code, *siblings])
        if icd.is_leaf(item) and (item == code or len(item) < _SEVENTH)
    ]


def billable(code: str) -> bool:
    """Whether the list has a code and no finer one below it: only such may be billed (Official Guidelines, section I.B.2)."""
    import simple_icd_10_cm as icd

    return _known(code) and bool(icd.is_leaf(code))


def terms(code: str) -> list[str]:
    """What the list calls a code: its description, and the terms that are included in it."""
    import simple_icd_10_cm as icd

    return [str(icd.get_description(code)), *map(str, icd.get_inclusion_term(code))]


@cache
def _known(code: str) -> bool:
    import simple_icd_10_cm as icd

    return bool(icd.is_valid_item(code)) and not icd.is_chapter_or_block(code)


def _excludes(code: str, other: str) -> bool:
    return any(low <= other[: len(low)] and other[: len(high)] <= high for low, high in _excluded(code))


@cache
def _excluded(code: str) -> tuple[tuple[str, str], ...]:
    """Ranges of codes that a code's own note, or one of the categories and blocks above it, excludes."""
    import simple_icd_10_cm as icd

    notes = [note for item in (code, *icd.get_ancestors(code)) for note in icd.get_excludes1(item)]
    return tuple(
        (first, last or first)
        for note in notes
        for inside in re.findall(r"\(([^()]*)\)\s*$", note)
        for first, last in _REFERENCE.findall(inside)
    )
