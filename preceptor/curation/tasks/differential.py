"""Presentation → ranked differential diagnosis.

1. Pulmonary embolism — for: pleuritic pain, recent flight; against: no leg swelling
2. Pneumonia — for: fever; against: clear chest film
"""

from __future__ import annotations

from collections.abc import Mapping

from preceptor.records import DeidentifiedDocument


def pair(
    document: DeidentifiedDocument, documents: Mapping[str, DeidentifiedDocument]
) -> tuple[DeidentifiedDocument, str, str] | None:
    """The document and its differential as text; None without one."""
    entries = document.labels.differential
    if not entries:
        return None
    lines = []
    for rank, entry in enumerate(entries, 1):
        line = f"{rank}. {entry['diagnosis']} — for: {', '.join(entry['for']) or 'none'}"
        lines.append(f"{line}; against: {', '.join(entry['against']) or 'none'}")
    return document, "\n".join(lines), document.note_type
