"""Session transcript → the note that was written after it."""

from __future__ import annotations

from collections.abc import Mapping

from preceptor.records import DeidentifiedDocument


def pair(
    document: DeidentifiedDocument, documents: Mapping[str, DeidentifiedDocument]
) -> tuple[DeidentifiedDocument, str, str] | None:
    """The transcript that `document` follows, and `document` as the answer.

    Without a stated link, the one transcript of the same patient and encounter counts.
    """
    if "transcript" in document.note_type:
        return None
    if document.labels.follows:
        transcript = documents.get(document.labels.follows)
    else:
        same = [
            d
            for d in documents.values()
            if document.encounter
            and d.encounter == document.encounter
            and d.patient_ref == document.patient_ref
            and "transcript" in d.note_type
        ]
        transcript = same[0] if len(same) == 1 else None
    return (transcript, document.text, document.note_type) if transcript else None
