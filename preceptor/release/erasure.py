"""Erasing a patient from everything that was made from the vault."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

from preceptor.curation.page import FOLDER as PAGES
from preceptor.curation.reviews import erase_corrections
from preceptor.errors import UsageError
from preceptor.release.candidates import bar
from preceptor.release.lineage import forward, version_roots
from preceptor.release.registry import Tracking
from preceptor.release.store import Store
from preceptor.settings import Workspace
from preceptor.vault import Vault
from preceptor.versions import MANIFEST, discard_unfinished, file_sha256, write_atomic

ERASED = "made from documents of an erased patient"  # the reason by which the record tells erasures from other bars
ERASED_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Report erased</title>
<p>This report showed or drew on documents of a patient who has been erased. Its cases and answers are gone; the
figures without any text are in report.json.</p></html>
"""


def erase(
    workspace: Workspace, vault: Vault, tracking: Tracking, store: Store, patient_ref: str, actor: str
) -> dict[str, Any]:
    """Destroy the patient's key, drop what was derived from the patient, bar the models that it reached.

    Dropped are the patient's rows of every data set version, the cases and answers of every evaluation that could
    have shown them, the cache of answers, the pages of curation, reviewers' corrections, and what killed runs left half
    made. The order makes it safe to kill: models are barred first, derived text
    goes next, the key and the document references last; the next call finishes.

    Returns `{patient, documents, versions, models}`; references only.
    """
    documents = vault.document_refs(patient_ref)
    reached = _reached(tracking, workspace, documents)
    if reached["models"]:
        bar(store, reached["models"], reason=ERASED, actor=actor)
    versions = [
        folder
        for entry in reached["data"]
        for root in version_roots(workspace)
        if (folder := root / entry["stage"] / entry["version"]).exists()
    ]
    # Evaluations are found through the data that they used, so they go first.
    for folder in versions:
        if folder.is_relative_to(workspace.reports):
            _drop_evaluation(folder)
    for folder in versions:
        if folder.is_relative_to(workspace.data):
            _drop_rows(folder, patient_ref)
    erase_corrections(workspace.data, patient_ref)
    discard_unfinished(workspace.data)
    for left in workspace.training.glob("provider-*/*.jsonl"):
        left.unlink()  # of a job that was killed while it uploaded
    shutil.rmtree(workspace.reports / PAGES, ignore_errors=True)
    shutil.rmtree(workspace.reports / ".answers", ignore_errors=True)
    return {
        "patient": patient_ref,
        "documents": vault.erase_patient(patient_ref),
        "versions": sorted({folder.name for folder in versions}),
        "models": reached["models"],
    }


def _reached(tracking: Tracking, workspace: Workspace, documents: Collection[str]) -> dict[str, Any]:
    try:
        return forward(tracking, version_roots(workspace), documents)
    except UsageError:  # in the vault, and used for nothing yet
        return {"data": [], "models": []}


def _drop_rows(folder: Path, patient_ref: str) -> None:
    """Rewrite the Parquet files without the patient's rows; the manifest gets their new hashes."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    for path in sorted(folder.rglob("*.parquet")):
        table = pq.read_table(path)
        mine = pc.equal(table["patient_ref"], patient_ref)
        if pc.any(mine).as_py():
            beside = path.with_name(f".{path.name}.part")
            pq.write_table(table.filter(pc.invert(mine)), beside)
            beside.replace(path)
    _seal(folder)


def _drop_evaluation(folder: Path) -> None:
    """Leave the figures, and a page that says why there is nothing more to read."""
    for path in folder.glob("*.parquet"):
        path.unlink()
    write_atomic(folder / "report.html", ERASED_PAGE)
    _seal(folder)


def _seal(folder: Path) -> None:
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    files = {str(p.relative_to(folder)): p for p in sorted(folder.rglob("*")) if p.is_file()}
    hashes = {name: file_sha256(path) for name, path in files.items() if name != MANIFEST}
    if hashes != manifest["files"]:
        changed = {**manifest, "files": hashes, "erasures": manifest.get("erasures", 0) + 1}
        write_atomic(folder / MANIFEST, json.dumps(changed, indent=1, ensure_ascii=False))
