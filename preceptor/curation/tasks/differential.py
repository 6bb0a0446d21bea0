"""Presentation → ranked differential diagnosis.

1. Pulmonary embolism — for: pleuritic pain, recent flight; against: no leg swelling
2. Pneumonia — for: fever; against: clear chest film
"""

from __future__ import annotations

from preceptor.curation.tasks.base import Pair, Shelf, UseCase
from preceptor.records import DeidentifiedDocument


def pair(use_case: UseCase, document: DeidentifiedDocument, shelf: Shelf) -> Pair | None:
    """The document and its differential as text; None without one."""
    found = answer(document)
    return Pair(document.text, found, document.note_type, (document,)) if found else None


def answer(document: DeidentifiedDocument) -> str | None:
    """The differential of a document, one diagnosis a line; None without one."""
    lines = []
    for rank, entry in enumerate(document.labels.differential, 1):
        line = f"{rank}. {entry['diagnosis']} — for: {', '.join(entry['for']) or 'none'}"
        lines.append(f"{line}; against: {', '.join(entry['against']) or 'none'}")
    return "\n".join(lines) or None
