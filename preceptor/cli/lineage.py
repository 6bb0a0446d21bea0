"""`preceptor lineage`: from a model to its documents, and from a document to every model."""

from __future__ import annotations

from typing import Any

import click

from preceptor.cli._common import columns, emit, json_option, workspace


@click.command()
@click.argument("ref")
@json_option
def lineage(ref: str, as_json: bool) -> None:
    """Trace REF: a model version (NAME/VERSION, NAME@ALIAS) back, or a document reference forward."""
    from preceptor.release.lineage import backward, forward, version_roots
    from preceptor.release.registry import tracking_of

    place = workspace()
    tracking, roots = tracking_of(place), version_roots(place)
    if "/" in ref or "@" in ref:
        found = backward(tracking, roots, ref)
        emit(found, as_json, lambda: _backward_text(found))
    else:
        found = forward(tracking, roots, [ref])
        emit(found, as_json, lambda: _forward_text(found))


def _backward_text(found: dict[str, Any]) -> str:
    rows = [(node["stage"], node["version"], node["documents"]) for node in found["data"]]
    lines = [f"{found['model']} was made from", columns(rows, ("stage", "version", "documents"))]
    if found["missing"]:
        lines.append(f"No longer there: {', '.join(found['missing'])}")
    return "\n".join([*lines, f"{len(found['documents'])} documents:", *found["documents"]])


def _forward_text(found: dict[str, Any]) -> str:
    lines = [columns([(d["stage"], d["version"]) for d in found["data"]], ("stage", "version"))]
    return "\n".join([*lines, f"Models it reached: {', '.join(found['models']) or 'none'}"])
