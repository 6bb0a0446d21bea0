"""What a tagger finds by itself on annotated notes, as they are and written worse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from preceptor.deid.scoring import score
from preceptor.deid.tagger.disturb import capitals, lower_case, mistyped, rewrapped, scanned
from preceptor.deid.tagger.notes import AnnotatedNote
from preceptor.deid.tagger.tagging import TrainedTagger
from preceptor.records import Span

Spans = Callable[[Sequence[str]], list[list[Span]]]

DISTURBANCES = {
    "capitals": capitals, "lower case": lower_case, "scanned": scanned, "mistyped": mistyped, "broken lines": rewrapped,
}  # fmt: skip
THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.8)
_MEASURES = ("entity_recall", "direct_recall", "char_precision", "char_recall", "token_f1", "notes_with_leak")


def evaluate(tagger: TrainedTagger, notes: Sequence[AnnotatedNote], threshold: float = 0.3) -> dict[str, Any]:
    """Measures at several thresholds, per type, and under each disturbance."""

    def scores(notes: Sequence[AnnotatedNote], at: float = threshold) -> dict[str, Any]:
        return measured(lambda texts: tagger.spans(texts, at), notes)

    at = {str(value): brief(scores(notes, value)) for value in THRESHOLDS}
    worse = {name: brief(scores(disturbed(notes, name))) for name in DISTURBANCES}
    return {"at_threshold": at, "per_type": scores(notes)["per_type"], "disturbed": worse}


def measured(spans_of: Spans, notes: Sequence[AnnotatedNote]) -> dict[str, Any]:
    """The scores of whatever finds spans."""
    gold = [gold_row(note) for note in notes]
    found = spans_of([row["text"] for row in gold])
    pred = [
        {"note_id": row["note_id"], "spans": [{"start": s.start, "end": s.end} for s in spans]}
        for row, spans in zip(gold, found, strict=True)
    ]
    return score(gold, pred)


def brief(scores: dict[str, Any]) -> dict[str, Any]:
    """The measures over everything, without the tables and the misses."""
    return {key: scores[key] for key in _MEASURES}


def disturbed(notes: Sequence[AnnotatedNote], way: str) -> list[AnnotatedNote]:
    """The notes written worse in one way, the same for the same note."""
    return [n._replace(pieces=tuple(DISTURBANCES[way](n.pieces, Random(n.note_id)))) for n in notes]


def gold_row(note: AnnotatedNote) -> dict[str, Any]:
    """A note as `preceptor deid score` has it."""
    spans, at = [], 0
    for piece in note.pieces:
        if piece.type:
            spans.append({"start": at, "end": at + len(piece.text), "type": piece.type})
        at += len(piece.text)
    return {"note_id": note.note_id, "text": note.text, "spans": spans}
