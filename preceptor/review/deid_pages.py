"""De-identified documents: is anything left in one that identifies somebody? Its words can be ticked, and the answer is signed.

The queue and the decisions are those of `preceptor deid review`. The original is shown nowhere.
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal

from preceptor.deid.batch import DeidResult
from preceptor.deid.leakcheck import FAILED
from preceptor.errors import UsageError
from preceptor.privacy import SAMPLE, reviews
from preceptor.privacy.looking import batches, clean_version, look_at, passages, pieces
from preceptor.review.pages import proved
from preceptor.review.visit import Visit
from preceptor.vault.audit import acting_for
from preceptor.versions import DatasetVersion, digest

VERDICTS: dict[Literal["clean", "leak"], str] = {
    "clean": "nothing is left that identifies anybody",
    "leak": "I have ticked what is left",
}
REASONS = {
    "withheld": "stopped by the leak check",
    "sample": "drawn for the miss rate",
    "doubt": "a word that nothing explains",
}
LISTED = 50


_BY_NAME: dict[str, Literal["clean", "leak"]] = {name: name for name in VERDICTS}


def newest(visit: Visit) -> Any:
    """The queue of the newest batch."""
    known = batches(visit.house.workspace.data)
    return visit.go(f"/deid/{known[-1]}") if known else visit.page("deid", batch="", batches=[])


def documents(visit: Visit) -> Any:
    """What nobody has looked at in a batch; references and rules only, no text."""
    batch, version = clean_version(visit.house.workspace.data, visit.path["batch"])
    left = _open(visit, batch, version)
    return visit.page(
        "deid",
        batch=batch,
        version=version.name,
        batches=[name for name in batches(visit.house.workspace.data) if name != batch],
        rows=left[:LISTED],
        left=len(left),
        reasons=REASONS,
    )


def document(visit: Visit) -> Any:
    """One de-identified document, its words to tick, and the form to decide. Amber: the audit log says who looked."""
    batch, version = clean_version(visit.house.workspace.data, visit.path["batch"])
    item = _item(visit, version)
    result = _look_at(visit, batch, version)
    return visit.page(
        "deid_document",
        batch=batch,
        item=item,
        why=REASONS[item.reason],
        pieces=[] if FAILED in item.rules else pieces(result),
        ticked=_ticked(visit),
        verdicts=VERDICTS,
        seen=_seen(version.name, item, result.text),
    )


def decide(visit: Visit) -> Any:
    """Sign the decision with the password; the next run of the stage follows it, and the next open document is shown."""
    form = visit.form
    batch, version = clean_version(visit.house.workspace.data, visit.path["batch"])
    item = _item(visit, version)
    if FAILED in item.rules:
        raise UsageError("There is no text of this document: nobody can find it clean.")
    verdict = _BY_NAME.get(form.get("verdict", ""))
    if verdict is None:
        raise UsageError("Say what you found: nothing, or what you have ticked.")
    ticked = _ticked(visit)
    if (verdict == "leak") != bool(ticked):
        raise UsageError(
            "You ticked words, and said that nothing is left."
            if ticked
            else "Tick the words that identify somebody."
        )
    result = _look_at(visit, batch, version)
    if form.get("seen") != _seen(version.name, item, result.text):
        raise UsageError("The document has changed since you read it: read it again, then sign.")
    found = passages(pieces(result), ticked)
    proved(visit, visit.name)
    store = visit.house.store()
    try:
        reviews.decide(
            store, item, batch, version, verdict, len(found), as_user=visit.name,
            password=form.get("password", ""), reason=form.get("reason", ""), places=found,
        )  # fmt: skip
    finally:
        store.close()
    left = _open(visit, batch, version)
    return visit.go(f"/deid/{batch}/{left[0].document_ref}" if left else f"/deid/{batch}")


def _look_at(visit: Visit, batch: str, version: DatasetVersion) -> DeidResult:
    with acting_for(visit.name):
        return look_at(visit.house.workspace, visit.house.settings, batch, version, visit.path["document"])


def _item(visit: Visit, version: DatasetVersion) -> reviews.Item:
    for item in reviews.items(version, SAMPLE):
        if item.document_ref == visit.path["document"]:
            return item
    raise UsageError("This document is not among those to look at (any more).")


def _open(visit: Visit, batch: str, version: DatasetVersion) -> list[reviews.Item]:
    """What nobody has decided: by reason as the queue has it, and then in an order of this person's own, so that two who work
    at once seldom read the same."""
    store = visit.house.store()
    try:
        decided = reviews.decisions(store, batch)
    finally:
        store.close()
    left = reviews.open_items(reviews.items(version, SAMPLE), decided)
    order = list(REASONS)
    return sorted(
        left,
        key=lambda i: (
            order.index(i.reason),
            hashlib.sha256(f"{visit.name} {i.document_ref}".encode()).digest(),
        ),
    )


def _ticked(visit: Visit) -> frozenset[int]:
    """The starts of the words that were ticked: fields `w0`, `w17`."""
    return frozenset(int(name[1:]) for name in visit.form if name[:1] == "w" and name[1:].isdecimal())


def _seen(version: str, item: reviews.Item, text: str) -> str:
    return digest([version, item.document_ref, item.reason, item.finding, text])
