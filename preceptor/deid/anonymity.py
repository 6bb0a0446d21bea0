"""k-anonymity of what stays beside and in the text: how many patients share the values that could single one out.

Sweeney 2002: a table is k-anonymous if every combination of its quasi-identifiers belongs to k patients or more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

FEW = 5  # patients; smaller classes are reported (CMS cell-size policy asks for 11, many boards for 5)


def anonymity(patients: Mapping[str, Mapping[str, frozenset[str]]]) -> dict[str, dict[str, Any]]:
    """For each field alone and for all together: classes, smallest class k, patients alone in theirs and in small ones.

    `patients`: for each patient the values that each field (`codes`, `ages`, …) has in their documents.
    """
    fields = sorted({name for values in patients.values() for name in values})
    chosen = {**{name: (name,) for name in fields}, "together": tuple(fields)}
    out = {}
    for label, names in chosen.items():
        sizes = Counter(
            tuple(tuple(sorted(values.get(name, ()))) for name in names) for values in patients.values()
        )
        out[label] = {
            "classes": len(sizes),
            "k": min(sizes.values(), default=0),
            "alone": sum(1 for size in sizes.values() if size == 1),
            "in_few": sum(size for size in sizes.values() if size < FEW),
            "patients": len(patients),
        }
    return out
