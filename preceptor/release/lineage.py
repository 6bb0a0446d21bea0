"""From a model version back to every data set version and document, and from a document to every model.

Nothing is kept for this: the registry's tags name the data set versions, their manifests name what they were
made from, and the Parquet files name the documents. So erasure and audit are queries.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from preceptor.errors import UsageError
from preceptor.release.registry import Tracking, list_versions, resolve
from preceptor.settings import Workspace
from preceptor.versions import MANIFEST

_DOCUMENT_COLUMNS = ("document_ref", "document_refs")


@dataclass(frozen=True, slots=True)
class DataNode:
    """A data set version, the versions it was made from, and the documents that are in it.

    Where every row of its Parquet files names its documents, these are all; where some row does not (a
    synthetic one, packed tokens), whatever its inputs hold counts too: too much rather than too little.
    """

    stage: str
    name: str
    inputs: tuple[str, ...]
    documents: frozenset[str]


def version_roots(workspace: Workspace) -> tuple[Path, ...]:
    """Where versions with manifests lie."""
    return (workspace.data, workspace.models, workspace.training, workspace.reports)


def backward(tracking: Tracking, roots: Collection[Path], ref: str) -> dict[str, Any]:
    """Return `{model, run_id, digest, evaluation, data, documents, missing}` for a model version.

    `data` is a list of `{stage, version, inputs, documents}`, first what the model names and then upstream,
    with the number of documents in each; `documents` is the sorted list of references of those the model was
    made or tested with; `missing` names versions whose folders are gone.
    """
    info = resolve(tracking, ref)
    nodes = data_nodes(roots)
    order: list[str] = []
    waiting = sorted(info.data.values())
    while waiting:
        name = waiting.pop(0)
        if name not in order:
            order.append(name)
            waiting += sorted(nodes[name].inputs) if name in nodes else []
    found = [nodes[name] for name in order if name in nodes]
    documents = [nodes[name].documents for name in info.data.values() if name in nodes]
    return {
        "model": info.ref,
        "run_id": info.run_id,
        "digest": info.digest,
        "evaluation": info.evaluation,
        "data": [
            {"stage": n.stage, "version": n.name, "inputs": list(n.inputs), "documents": len(n.documents)}
            for n in found
        ],
        "documents": sorted(frozenset().union(*documents)),
        "missing": [name for name in order if name not in nodes],
    }


def forward(tracking: Tracking, roots: Collection[Path], documents: Collection[str]) -> dict[str, Any]:
    """Return what the document references reached: `{documents, data: [{stage, version}], models: [refs]}`.

    It does not matter whether for training or for test.

    Raises `UsageError` if no data set version holds any of them.
    """
    wanted = frozenset(documents)
    reached = {name: node for name, node in data_nodes(roots).items() if node.documents & wanted}
    if not reached:
        raise UsageError(
            "No data set version holds a document of that reference. Name a document as the manifests do, "
            "or a model as NAME/VERSION or NAME@ALIAS."
        )
    return {
        "documents": sorted(wanted),
        "data": sorted(
            ({"stage": node.stage, "version": name} for name, node in reached.items()),
            key=lambda entry: (entry["stage"], entry["version"]),
        ),
        "models": [info.ref for info in list_versions(tracking) if reached.keys() & set(info.data.values())],
    }


def data_nodes(roots: Collection[Path]) -> dict[str, DataNode]:
    """Read every manifest below the roots; the key is the version's name."""
    paths: dict[str, Path] = {}
    manifests: dict[str, dict[str, Any]] = {}
    for path in (path for root in roots for path in sorted(root.glob(f"*/*/{MANIFEST}"))):
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if manifest.get("name") == path.parent.name:  # not a copy of a version, nor one half made
            paths[path.parent.name], manifests[path.parent.name] = path, manifest
    inputs = {
        name: tuple(text for text in _strings(manifest["inputs"]) if text in manifests)
        for name, manifest in manifests.items()
    }
    nodes: dict[str, DataNode] = {}

    def node(name: str) -> DataNode:
        if name not in nodes:
            own, complete = _documents_in(paths[name].parent)
            above = [] if complete else [node(upstream).documents for upstream in inputs[name]]
            nodes[name] = DataNode(manifests[name]["stage"], name, inputs[name], own.union(*above))
        return nodes[name]

    return {name: node(name) for name in manifests}


def _strings(value: Any) -> list[str]:
    """Every string in a value of strings, mappings and lists."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        value = value.values()
    return [text for item in value for text in _strings(item)] if isinstance(value, Collection) else []


@lru_cache(maxsize=256)  # a version changes only when a patient is erased, in a process of its own
def _documents_in(folder: Path) -> tuple[frozenset[str], bool]:
    """The document references in a version's Parquet files, and whether every row names at least one.

    Only those columns are read, batch by batch.
    """
    import pyarrow.parquet as pq

    found: set[str] = set()
    files = sorted(folder.rglob("*.parquet"))
    complete = bool(files)
    for path in files:
        with pq.ParquetFile(path) as file:
            columns = [column for column in _DOCUMENT_COLUMNS if column in file.schema_arrow.names]
            complete = complete and bool(columns)
            for batch in file.iter_batches(columns=columns) if columns else ():
                for row in zip(*(batch.column(column).to_pylist() for column in columns), strict=True):
                    named = _strings(row)
                    found.update(named)
                    complete = complete and bool(named)
    return frozenset(found), complete
