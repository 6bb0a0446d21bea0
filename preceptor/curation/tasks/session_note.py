"""Session transcript → the note that was written after it."""

from __future__ import annotations

from preceptor.curation.tasks.base import Pair, Shelf, UseCase
from preceptor.records import DeidentifiedDocument


def pair(use_case: UseCase, document: DeidentifiedDocument, shelf: Shelf) -> Pair | None:
    """The transcript that `document` follows, and `document` as the answer.

    Without a stated link, the one transcript of the same patient and encounter counts.
    """
    if "transcript" in document.note_type:
        return None
    if document.labels.follows:
        transcript = shelf.by_ref.get(document.labels.follows)
    else:
        same = [d for d in shelf.same_encounter(document) if "transcript" in d.note_type]
        transcript = same[0] if len(same) == 1 else None
    if transcript is None:
        return None
    return Pair(transcript.text, document.text, document.note_type, (transcript, document))
