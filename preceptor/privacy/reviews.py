"""The review queue: which de-identified documents a person should look at, and what they said.

Three reasons: the leak check stopped a document; it wondered at a word; or the document was drawn for the sample from which
the miss rate is estimated. Decisions are signed events of the release record, which says nothing of a document but its
reference.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from preceptor.deid.batch import DeidResult
from preceptor.deid.leakcheck import Leak
from preceptor.deid.reviewed import BY_A_PERSON, Reviewed, finding
from preceptor.deid.stage import DOUBTS, WITHHELD
from preceptor.errors import UsageError
from preceptor.release.chain import Event
from preceptor.release.store import Store
from preceptor.release.users import entitled
from preceptor.tables import DOCUMENTS, read_documents, read_rows
from preceptor.versions import DatasetVersion, digest

_MARKS = ("»»", "⟧", "⟦", "««")  # in this order where several stand at one place
REVIEWED = "deid_reviewed"
MAY_REVIEW = frozenset({"reviewer", "privacy", "admin"})
Reason = Literal["withheld", "sample", "doubt"]
Verdict = Literal["clean", "leak"]


@dataclass(frozen=True, slots=True)
class Item:
    """A document to look at. `rules`: how many finds of each rule; `finding`: a digest of those that stopped it."""

    document_ref: str
    patient_ref: str
    reason: Reason
    rules: dict[str, int]
    finding: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody said of a document. `missed`: identifiers that they found left in it."""

    document_ref: str
    batch: str
    process: str
    reason: Reason
    verdict: Verdict
    missed: int
    finding: str
    by: str
    at: str


def items(version: DatasetVersion, sample: int) -> list[Item]:
    """Everything of a version that should be looked at: withheld ones first, then the sample, then doubts.

    The sample is drawn from the documents that go on, by a hash of process and reference: the same for everybody, and a
    larger one holds a smaller one.
    """
    withheld = _by_document(version, WITHHELD)
    doubts = _by_document(version, DOUBTS)
    process = process_of(version)
    kept = {d.document_ref: d.patient_ref for d in read_documents(version.path / DOCUMENTS)}
    drawn = sorted(kept, key=lambda ref: hashlib.sha256(f"{process} {ref}".encode()).digest())[:sample]
    found = [_item(ref, rows, "withheld") for ref, rows in withheld.items()]
    found += [
        Item(ref, kept[ref], "sample", dict(Counter(r["rule"] for r in doubts.get(ref, []))), "")
        for ref in drawn
    ]
    return found + [_item(ref, rows, "doubt") for ref, rows in doubts.items() if ref not in drawn]


def process_of(version: DatasetVersion) -> str:
    """A digest of how the documents were de-identified, without what people decided afterwards.

    What a sample says of misses holds for this process and no other.
    """
    config = {k: v for k, v in version.manifest["config"].items() if k not in ("reviewed", "left_out")}
    return digest([config, version.manifest["code"]])[:12]


def marked(result: DeidResult) -> str:
    """A de-identified text for a reviewer: stand-ins between ⟦ ⟧, what the leak check found between «« »»."""
    marks = [(c, "⟦") for _, _, c, _ in result.moves] + [(d, "⟧") for _, _, _, d in result.moves]
    marks += [(leak.start, "««") for leak in result.leaks] + [(leak.end, "»»") for leak in result.leaks]
    pieces, at = [], 0
    for place, mark in sorted(marks, key=lambda pair: (pair[0], _MARKS.index(pair[1]))):
        pieces += [result.text[at:place], mark]
        at = place
    return "".join(pieces) + result.text[at:]


def open_items(found: Sequence[Item], decided: Sequence[Decision]) -> list[Item]:
    """Those that nobody has decided yet; a withheld one is decided only for the finds that stopped it."""
    done = {(d.document_ref, d.finding if d.reason == "withheld" else d.reason) for d in decided}
    return [
        i
        for i in found
        if BY_A_PERSON not in i.rules
        and (i.document_ref, i.finding if i.reason == "withheld" else i.reason) not in done
    ]


def decide(
    store: Store,
    item: Item,
    batch: str,
    version: DatasetVersion,
    verdict: Verdict,
    missed: int,
    *,
    as_user: str,
    password: str,
    reason: str = "",
    places: Sequence[tuple[int, int]] = (),
) -> Event:
    """Sign what one saw in a document. `clean` lets a withheld one go on, `leak` withholds any, from the next run on.

    `places`: where in the de-identified text the missed identifiers stand, if that was said; offsets, no text.

    Raises `UsageError` for a leak of nothing or a clean document that misses something, `GateRefused` if the person's
    role may not review, `NotAuthenticated` for a wrong name or password.
    """
    if (verdict == "leak") != (missed > 0):
        raise UsageError(
            "A leak misses one identifier or more (--missed N); a clean document none (rule missed-count)."
        )
    if places and len(places) != missed:
        raise UsageError(f"{missed} missed, and {len(places)} places named (rule missed-count).")
    signer = entitled(store, as_user, password, MAY_REVIEW, "review a document", None)
    payload = {
        "batch": batch,
        "version": version.name,
        "process": process_of(version),
        "why": item.reason,
        "verdict": verdict,
        "missed": missed,
        "finding": item.finding,
        "role": signer.role,
        "reason": reason.strip(),
        **({"places": [list(place) for place in places]} if places else {}),
    }
    return store.append(REVIEWED, item.document_ref, signer.name, payload, signer.sign)


def decisions(store: Store, batch: str) -> list[Decision]:
    """The decisions about a batch's documents, the last of each document and reason. Raises `RecordBroken`."""
    store.require_intact()
    last: dict[tuple[str, str], Decision] = {}
    for event in store.events(kinds=(REVIEWED,)):
        said = event.payload
        if said["batch"] == batch:
            last[event.subject, said["why"]] = Decision(
                event.subject,
                batch,
                said["process"],
                said["why"],
                said["verdict"],
                said["missed"],
                said["finding"],
                event.actor,
                event.at,
            )
    return list(last.values())


def reviewed(decided: Sequence[Decision]) -> Reviewed:
    """What the next run of the stage makes of decisions. Who finds a leak is believed, whatever others say."""
    barred = frozenset(d.document_ref for d in decided if d.verdict == "leak")
    return Reviewed(
        {
            d.document_ref: d.finding
            for d in decided
            if d.reason == "withheld" and d.verdict == "clean" and d.document_ref not in barred
        },
        barred,
    )


def _by_document(version: DatasetVersion, file: str) -> dict[str, list[dict[str, Any]]]:
    rows: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in read_rows(version.path / file):
        rows[row["document_ref"]].append(row)
    return rows


def _item(ref: str, rows: Sequence[dict[str, Any]], reason: Reason) -> Item:
    found = [Leak(r["rule"], r["type"], r["start"], r["end"]) for r in rows]
    certain = [leak for leak in found if not leak.is_doubt]
    rules = dict(Counter(leak.rule for leak in found))
    return Item(ref, rows[0]["patient_ref"], reason, rules, finding(certain) if reason == "withheld" else "")
