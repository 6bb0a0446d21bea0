"""Annotated notes as pieces of text, each with the type of what it identifies or none.

"Seen by Dr. [[DOCTOR|Quill]] today"  ->  ("Seen by Dr. ", ""), ("Quill", "DOCTOR"), (" today", "")
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from preceptor.deid.tokens import Token, tokenize
from preceptor.deid.types import TYPES
from preceptor.errors import UsageError

OWN = Path(__file__).parent / "annotated"
_MARK = re.compile(r"\[\[([A-Z_]+)\|(.*?)\]\]", re.S)


class Piece(NamedTuple):
    """A stretch of a note; `type` is empty for text that identifies nobody."""

    text: str
    type: str


class AnnotatedNote(NamedTuple):
    """`patient` keeps notes of one patient on one side of every split."""

    note_id: str
    patient: str
    pieces: tuple[Piece, ...]

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)


def annotated_notes(more: Sequence[Path] = ()) -> list[AnnotatedNote]:
    """The notes that come with Preceptor, all fictional, and those of further files: marked-up `.txt`, or `.jsonl` rows
    `{note_id, text, spans, patient_id?}` as `preceptor deid score` has them.

    Raises `UsageError` with the file and the rule for a file that is neither, and for a note without any of its own id.
    """
    notes = [note for path in sorted(OWN.glob("*.txt")) for note in read_marked(path)]
    for path in more:
        notes += _read_rows(path) if path.suffix == ".jsonl" else read_marked(path)
    repeated = [i for i, n in Counter(note.note_id for note in notes).items() if n > 1]
    if repeated:
        raise UsageError(f"{len(repeated)} note ids are used twice (rule note-id).")
    return notes


def _read_rows(path: Path) -> list[AnnotatedNote]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
        return from_rows([json.loads(line) for line in lines if line.strip()])
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError):
        raise UsageError(
            f"{path}: its lines must be JSON objects with note_id, text and spans (rule note-rows)."
        ) from None


def read_marked(path: Path) -> list[AnnotatedNote]:
    """The notes of a marked-up file: `=== id`, a header between lines of `---`, a body with `[[TYPE|text]]`.

    Raises `UsageError` with the file and the note's number for what is no such note.
    """
    notes = []
    for number, part in enumerate(re.split(r"(?m)^=== ", path.read_text(encoding="utf-8"))[1:], 1):
        note_id, _, rest = part.partition("\n")
        head = rest.split("---\n", 2)
        if len(head) != 3:
            raise UsageError(
                f"{path}, note {number}: its header must stand between two lines of --- (rule note-header)."
            )
        fields = dict(line.partition(": ")[::2] for line in head[1].splitlines())
        pieces = _pieces(head[2])
        unknown = {piece.type for piece in pieces} - TYPES - {""}
        if unknown:
            raise UsageError(
                f"{path}, note {number}: no such type: {', '.join(sorted(unknown))} (rule note-type)."
            )
        notes.append(AnnotatedNote(note_id.strip(), fields.get("patient_id") or note_id.strip(), pieces))
    return notes


def from_rows(rows: Iterable[Mapping[str, Any]]) -> list[AnnotatedNote]:
    """The same out of rows `{note_id, text, spans: [{start, end, type}], patient_id?}`."""
    notes = []
    for row in rows:
        at, pieces = 0, []
        for span in sorted(row["spans"], key=lambda s: s["start"]):
            pieces += [
                Piece(row["text"][at : span["start"]], ""),
                Piece(row["text"][span["start"] : span["end"]], span["type"]),
            ]
            at = span["end"]
        pieces.append(Piece(row["text"][at:], ""))
        notes.append(
            AnnotatedNote(
                str(row["note_id"]),
                str(row.get("patient_id") or row["note_id"]),
                tuple(p for p in pieces if p.text),
            )
        )
    return notes


def _pieces(body: str) -> tuple[Piece, ...]:
    found, at = [], 0
    for mark in _MARK.finditer(body):
        found += [Piece(body[at : mark.start()], ""), Piece(mark[2], mark[1])]
        at = mark.end()
    found.append(Piece(body[at:], ""))
    return tuple(piece for piece in found if piece.text)


def labelled(pieces: Sequence[Piece]) -> tuple[str, Sequence[Token], list[str]]:
    """The text of pieces, its tokens, and a label for each: `O`, `B-DATE` where a span begins, `I-DATE` inside one."""
    text = "".join(piece.text for piece in pieces)
    tokens = tokenize(text)
    labels = ["O"] * len(tokens)
    at, n = 0, 0
    for piece in pieces:
        end = at + len(piece.text)
        first = True
        while n < len(tokens) and tokens[n].start < end:
            if piece.type and tokens[n].end > at:
                labels[n] = ("B-" if first else "I-") + piece.type
                first = False
            n += 1
        at = end
    return text, tokens, labels
