"""Long note → the expert's summary of it."""

from __future__ import annotations

from preceptor.curation.tasks.base import Pair, Shelf, UseCase
from preceptor.records import DeidentifiedDocument


def pair(use_case: UseCase, document: DeidentifiedDocument, shelf: Shelf) -> Pair | None:
    """The document and its reference summary; None without one."""
    summary = document.labels.reference_summary
    return Pair(document.text, summary, "summary", (document,)) if summary else None
