"""Note → its ICD-10-CM codes, each with the words that justify it.

I50.23: acute on chronic systolic heart failure; EF 30%
I10: hypertension
"""

from __future__ import annotations

from collections.abc import Mapping

from preceptor.records import DeidentifiedDocument


def pair(
    document: DeidentifiedDocument, documents: Mapping[str, DeidentifiedDocument]
) -> tuple[DeidentifiedDocument, str, str] | None:
    """The document and its codes as text; None without codes, or where a code has no evidence in the text."""
    codes = document.labels.codes
    if not codes or not all(codes.values()):
        return None
    lines = [f"{code}: {'; '.join(quotes)}" for code, quotes in codes.items()]
    return document, "\n".join(lines), document.note_type
