"""Which of the texts that an answer was shown it names: [1], [2] and so on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from preceptor.evaluation.probes import Material

_MARK = re.compile(r" ?\[(\d{1,2})\]")


def cited(answer: str, shown: Sequence[str]) -> tuple[str, ...]:
    """Return the ids of the texts that an answer names, each once, in its order; `shown` are those it was shown.

    >>> cited("Oedema [2], fever [2] and cough [7].", ["a", "b"])
    ('b',)
    """
    numbers = [int(found) for found in _MARK.findall(answer)]
    return tuple(dict.fromkeys(shown[n - 1] for n in numbers if 1 <= n <= len(shown)))


def unmarked(answer: str, shown: Sequence[str]) -> str:
    """Return an answer without the marks that name a shown text: the reference has none, so they are not scored.

    >>> unmarked("Oedema [2] and [7].", ["a", "b"])
    'Oedema and [7].'
    """
    return _MARK.sub(lambda m: "" if 1 <= int(m[1]) <= len(shown) else m[0], answer)


def wrong(answer: str, shown: Sequence[str]) -> int:
    """Return how many marks of an answer name a text that it was not shown."""
    return sum(not 1 <= int(found) <= len(shown) for found in _MARK.findall(answer))


def probe(material: Material) -> dict[str, Any] | None:
    """Facts of every arm with retrieval: what its answers were shown, what they name, and what they name wrongly."""
    arms: Mapping[str, dict[str, Any]] = {
        arm: {
            "answers": len(rows),
            "shown": sum(len(row.shown) for row in rows),
            "reference_passages": sum("#" in source for row in rows for source in row.shown),
            "naming": sum(bool(row.cited) for row in rows),
            "wrong": sum(wrong(row.answer, row.shown) for row in rows),
        }
        for arm, rows in material.by_arm.items()
        if arm.endswith("rag")
    }
    return {"arms": dict(arms)} if arms else None
