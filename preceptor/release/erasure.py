"""Erasing a patient from everything that was made from the vault."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from preceptor.release.candidates import bar
from preceptor.release.lineage import forward, version_roots
from preceptor.release.registry import Tracking
from preceptor.release.store import Store
from preceptor.settings import Workspace
from preceptor.vault import Vault


def erase(
    workspace: Workspace, vault: Vault, tracking: Tracking, store: Store, patient_ref: str, actor: str
) -> dict[str, Any]:
    """Destroy the patient's key, drop the patient's rows from every table, bar the models that they reached.

    The order makes it safe to kill: models are barred first, rows go next, the key last; the next call finishes.
    Returns `{patient, documents, versions, models}`; references only.
    """
    reached = _versions_with(workspace, patient_ref)
    documents = {ref for found in reached.values() for ref in found}
    models: list[str] = []
    if documents:
        roots = version_roots(workspace)
        models = forward(tracking, roots, documents)["models"]
        bar(store, models, reason="made from documents of an erased patient", actor=actor)
    for path in reached:
        _drop_rows(path, patient_ref)
    erased = vault.erase_patient(patient_ref)
    return {
        "patient": patient_ref,
        "documents": erased,
        "versions": sorted({path.parent.name for path in reached}),
        "models": models,
    }


def _versions_with(workspace: Workspace, patient_ref: str) -> dict[Path, set[str]]:
    """Parquet files below the data folder that hold rows of the patient, with the documents these name."""
    import pyarrow.parquet as pq

    found: dict[Path, set[str]] = {}
    for path in sorted(workspace.data.rglob("*.parquet")):
        names = pq.read_schema(path).names
        if "patient_ref" not in names:
            continue
        column = "document_ref" if "document_ref" in names else "document_refs"
        table = pq.read_table(path, columns=["patient_ref", column]).to_pylist()
        mine = [row[column] for row in table if row["patient_ref"] == patient_ref]
        if mine:
            found[path] = {ref for value in mine for ref in ([value] if isinstance(value, str) else value)}
    return found


def _drop_rows(path: Path, patient_ref: str) -> None:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    beside = path.with_name(f".{path.name}.part")
    pq.write_table(table.filter(pc.not_equal(table["patient_ref"], patient_ref)), beside)
    beside.replace(path)
