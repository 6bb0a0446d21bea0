"""Note → its ICD-10-CM codes, each with the words that justify it.

I50.23: acute on chronic systolic heart failure; EF 30%
I10: hypertension
"""

from __future__ import annotations

from preceptor.curation.tasks.base import Pair, Shelf, UseCase
from preceptor.records import DeidentifiedDocument


def pair(use_case: UseCase, document: DeidentifiedDocument, shelf: Shelf) -> Pair | None:
    """The document and its codes as text; None without codes, or where a code has no evidence in the text."""
    found = answer(document)
    return Pair(document.text, found, document.note_type, (document,)) if found else None


def answer(document: DeidentifiedDocument) -> str | None:
    """The codes of a document, one a line; None without codes, or where one has no evidence."""
    codes = document.labels.codes
    if not codes or not all(codes.values()):
        return None
    return "\n".join(f"{code}: {'; '.join(quotes)}" for code, quotes in codes.items())
