"""Derive drafts from documents, by the kind of the use case."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from preceptor.curation.tasks import coding, declared, differential, session_note, summary
from preceptor.curation.tasks.base import Draft, Pair, Shelf, UseCase
from preceptor.records import DeidentifiedDocument

_KINDS: dict[str, Callable[[UseCase, DeidentifiedDocument, Shelf], Pair | None]] = {
    "session-note": session_note.pair,
    "coding": coding.pair,
    "summary": summary.pair,
    "differential": differential.pair,
    "declared": declared.pair,
}


def derive(use_case: UseCase, shelf: Shelf) -> Iterator[Draft]:
    """Yield the drafts that a use case gets from the documents, in the order of the documents."""
    for document in shelf.by_ref.values():
        if use_case.specialty and document.specialty != use_case.specialty:
            continue
        pair = _KINDS[use_case.kind](use_case, document, shelf)
        if pair is None:
            continue
        yield Draft(
            task=use_case.task,
            patient_ref=document.patient_ref,
            document_refs=tuple(d.document_ref for d in pair.documents),
            specialty=document.specialty,
            instruction=use_case.instruction.format(note_type=pair.note_type),
            source=pair.source.strip(),
            answer=pair.answer.strip(),
            form=use_case.form,
            basis=use_case.basis,
        )
