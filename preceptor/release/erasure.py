"""Erasing a patient from everything that was made from the vault."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from typing import Any

from preceptor.curation.page import FOLDER as PAGES
from preceptor.curation.reviews import erase_corrections
from preceptor.dropping import drop_cases, drop_rows, interrupted
from preceptor.errors import UsageError
from preceptor.release.candidates import bar
from preceptor.release.lineage import forward, version_roots
from preceptor.release.registry import Tracking
from preceptor.release.store import Store
from preceptor.settings import Workspace
from preceptor.storage.errors import StorageError
from preceptor.storage.home import pull, push
from preceptor.storage.objects import Objects
from preceptor.vault import Vault
from preceptor.versions import discard_unfinished

ERASED = "made from documents of an erased patient"  # the reason by which the record tells erasures from other bars

_UNFINISHED = (
    "The erasure is not finished: this home's derived data are clean and its models barred, but the object store may still hold "
    "the patient, whose key is therefore kept. Mend what is said next, and run the same command again."
)


def erase(
    workspace: Workspace,
    vault: Vault,
    tracking: Tracking,
    store: Store,
    patient_ref: str,
    actor: str,
    objects: Objects | None = None,
) -> dict[str, Any]:
    """Destroy the patient's key, drop what was derived from the patient, bar the models that it reached.

    Dropped are the patient's rows of every data set version, the cases and answers of every evaluation that could
    have shown them, the cache of answers, the pages of curation, reviewers' corrections, and what killed runs left half
    made. The order makes it safe to kill: models are barred first, derived text
    goes next, the key and the document references last; the next call finishes.

    `objects`: the object store, if there is one. What only it has is fetched first, so that it is cleaned too, and what was
    cleaned takes the place of what is there. Raises `StorageError` where that cannot be done: then all but that, the key and
    the document references is gone, and the next call finishes.

    Returns `{patient, documents, versions, models}`; references only.
    """
    missed = _fetched_all(workspace, vault, objects) if objects else None
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
            drop_cases(folder)
    # A version that a killed call was cleaning may name the patient no more, and still have the old manifest.
    for folder in {*versions, *interrupted(workspace.data)}:
        if folder.is_relative_to(workspace.data):
            drop_rows(folder, (patient_ref,))
    erase_corrections(workspace.data, patient_ref)
    for root in (workspace.data, workspace.reports):
        discard_unfinished(root)
    for left in workspace.training.glob("provider-*/*.jsonl"):
        left.unlink()  # of a job that was killed while it uploaded
    shutil.rmtree(workspace.reports / PAGES, ignore_errors=True)
    shutil.rmtree(workspace.reports / ".answers", ignore_errors=True)
    if missed:
        raise StorageError(missed)
    if objects:
        _clean_copies(workspace, objects)
    return {
        "patient": patient_ref,
        "documents": vault.erase_patient(patient_ref),
        "versions": sorted({folder.name for folder in versions}),
        "models": reached["models"],
    }


def _fetched_all(workspace: Workspace, vault: Vault, objects: Objects) -> str | None:
    """Fetch every version that only the store has; say what hinders the erasure there, or None."""
    try:
        left = pull(workspace, objects, vault.erased_patients(), everything=True).left
    except StorageError as error:
        left = {objects.name: str(error)}
    return f"{_UNFINISHED} {next(iter(left.values()))}" if left else None


def _clean_copies(workspace: Workspace, objects: Objects) -> None:
    """Send the cleaned versions, which removes the files that they had before."""
    try:
        left = push(workspace, objects).left
    except StorageError as error:
        left = {objects.name: str(error)}
    if left:
        raise StorageError(f"{_UNFINISHED} {next(iter(left.values()))}")


def _reached(tracking: Tracking, workspace: Workspace, documents: Collection[str]) -> dict[str, Any]:
    try:
        return forward(tracking, version_roots(workspace), documents)
    except UsageError:  # in the vault, and used for nothing yet
        return {"data": [], "models": []}
