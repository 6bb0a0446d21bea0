"""Long note → the expert's summary of it."""

from __future__ import annotations

from collections.abc import Mapping

from preceptor.records import DeidentifiedDocument


def pair(
    document: DeidentifiedDocument, documents: Mapping[str, DeidentifiedDocument]
) -> tuple[DeidentifiedDocument, str, str] | None:
    """The document and its reference summary; None without one."""
    summary = document.labels.reference_summary
    return (document, summary, "summary") if summary else None
