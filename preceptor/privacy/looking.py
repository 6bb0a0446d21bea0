"""Looking at a de-identified document: which batch, which text, and the words in it that a person can point at.

The text is made anew from the vault, since what the leak check stopped is kept nowhere else, and only the making tells which words are
stand-ins. The original leaves no function here.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import regex

from preceptor.deid.batch import DeidResult, scrub_documents
from preceptor.deid.engine import Deidentifier
from preceptor.deid.leakcheck import Leak
from preceptor.deid.reviewed import BY_A_PERSON
from preceptor.deid.stage import DOUBTS, WITHHELD, stage_of
from preceptor.deid.tagger.chosen import with_chosen_tagger
from preceptor.errors import UsageError
from preceptor.keys import deid_secret
from preceptor.settings import Settings, Workspace
from preceptor.tables import DOCUMENTS, read_documents, read_rows
from preceptor.vault import open_vault
from preceptor.versions import DatasetVersion, latest

_WORD = regex.compile(r"\S+")
_one_at_a_time = threading.Lock()  # elsewhere processes do this, so nothing of it promises to bear threads


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a text at `[start, end)`: a word, a part of one, or (`blank`) what is between words.

    `stand_in`: it was put there for an identifier. `doubted`: the leak check names it.
    """

    start: int
    end: int
    text: str
    blank: bool
    stand_in: bool
    doubted: bool


def batches(data: Path) -> list[str]:
    """The batches that were de-identified, by name."""
    stages = sorted(p.name for p in data.glob(f"{stage_of('*')}") if (p / "latest").exists())
    return [name.removeprefix(stage_of("")) for name in stages]


def clean_version(data: Path, batch: str | None) -> tuple[str, DatasetVersion]:
    """A batch, the newest if none is named, and its clean version.

    Raises `UsageError` if there is none, or one that was made before there were reviews.
    """
    known = batches(data)
    if not known:
        raise UsageError("No batch has been de-identified in this home yet: `preceptor run` does it.")
    chosen = batch or known[-1]
    version = latest(data, stage_of(chosen)) if chosen in known else None
    if version is None:
        raise UsageError(f"There is no de-identified batch {chosen}; there are {', '.join(known)}.")
    if not (version.path / DOUBTS).exists():
        raise UsageError(
            f"Batch {chosen} was de-identified by an earlier version of Preceptor, which knew no reviews; run "
            "`preceptor run` again."
        )
    return chosen, version


def look_at(
    workspace: Workspace, settings: Settings, batch: str, version: DatasetVersion, document: str
) -> DeidResult:
    """One de-identified document with its stand-ins and the leak check's finds. Amber, and red if an identifier was missed;
    the vault notes who looked.

    Raises `UsageError` for a document that the version does not hold, and for one that would be de-identified otherwise today:
    what would be looked at is not what goes on.
    """
    kept = {d.document_ref: d for d in read_documents(version.path / DOCUMENTS)}
    withheld = [row for row in read_rows(version.path / WITHHELD) if row["document_ref"] == document]
    if document not in kept and not withheld:
        raise UsageError(f"Batch {batch} holds no document {document}.")
    patient = kept[document].patient_ref if document in kept else withheld[0]["patient_ref"]
    chosen, why = with_chosen_tagger(settings.deid, workspace.data), "review of de-identification"
    vault = open_vault(workspace, settings.vault)
    try:
        documents = list(vault.documents(batch, why=why, patients=(patient, patient)))
        records = vault.records({patient}, why=why)
    finally:
        vault.close()
    engine = Deidentifier(chosen, deid_secret(workspace, settings.vault))
    with _one_at_a_time:
        results = list(scrub_documents(documents, records, engine))
    result = next((r for r in results if r.document_ref == document), None)
    if result is None:
        raise UsageError(f"{document} is not in the vault any more: its patient was erased.")
    stopped = {Leak(r["rule"], r["type"], r["start"], r["end"]) for r in withheld if r["rule"] != BY_A_PERSON}
    same = result.text == kept[document].text if document in kept else set(result.leaks) == stopped
    if not same:
        raise UsageError(
            f"{document} would be de-identified otherwise today than it was (settings, records or Preceptor have changed; rule "
            "deid-changed): `preceptor run` makes a new version of the batch, then look at that."
        )
    return result


def pieces(result: DeidResult) -> list[Piece]:
    """The text in pieces that join to it: words, split where a stand-in or a find begins or ends, and what is between."""
    stand_ins = [(c, d) for _, _, c, d in result.moves]
    finds = [(leak.start, leak.end) for leak in result.leaks]
    words = [m.span() for m in _WORD.finditer(result.text)]
    edges = sorted({0, len(result.text), *(e for span in (*stand_ins, *finds, *words) for e in span)})

    def within(at: int, spans: Sequence[tuple[int, int]]) -> bool:
        return any(start <= at < end for start, end in spans)

    return [
        Piece(a, b, text, not text.strip(), within(a, stand_ins), within(a, finds))
        for a, b in zip(edges, edges[1:], strict=False)
        if (text := result.text[a:b])
    ]


def passages(found: Sequence[Piece], ticked: Collection[int]) -> list[tuple[int, int]]:
    """The passages that a person ticked, by the starts of their pieces: neighbours in a line are one.

    Raises `UsageError` for a start of no word.
    """
    if not set(ticked) <= {p.start for p in found if not p.blank}:
        raise UsageError("The document has changed since you read it: load the page again.")
    joined: list[tuple[int, int]] = []
    goes_on = False
    for piece in found:
        if piece.start in ticked:
            joined.append((joined.pop()[0] if goes_on else piece.start, piece.end))
            goes_on = True
        elif not piece.blank or "\n" in piece.text:
            goes_on = False
    return joined
