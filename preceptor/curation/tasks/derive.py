"""Derive drafts from documents, by the kind of the use case."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from preceptor.curation.tasks import coding, differential, session_note, summary
from preceptor.curation.tasks.base import Draft, UseCase
from preceptor.records import DeidentifiedDocument

# Each gets one document and all by reference; it returns (input document, answer, note type wanted), or None.
Pair = tuple[DeidentifiedDocument, str, str]
_KINDS: dict[str, Callable[[DeidentifiedDocument, Mapping[str, DeidentifiedDocument]], Pair | None]] = {
    "session-note": session_note.pair,
    "coding": coding.pair,
    "summary": summary.pair,
    "differential": differential.pair,
}


def derive(use_case: UseCase, documents: Iterable[DeidentifiedDocument]) -> Iterator[Draft]:
    """Yield the drafts that a use case gets from the documents, in the order of the documents."""
    by_ref = {d.document_ref: d for d in documents}
    for document in by_ref.values():
        if use_case.specialty and document.specialty != use_case.specialty:
            continue
        found = _KINDS[use_case.kind](document, by_ref)
        if found is None:
            continue
        source, answer, note_type = found
        yield Draft(
            task=use_case.task,
            patient_ref=document.patient_ref,
            document_refs=tuple(dict.fromkeys((source.document_ref, document.document_ref))),
            specialty=document.specialty,
            instruction=use_case.instruction.format(note_type=note_type),
            source=source.text.strip(),
            answer=answer.strip(),
        )
