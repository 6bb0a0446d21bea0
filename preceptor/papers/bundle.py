"""The papers of a version in one folder: every document as HTML and PDF, the facts as JSON, a page that lists them, and a manifest.

    HOME/reports/papers/preceptor-2/index.html, model-card.html, model-card.pdf, …, facts.json, manifest.json

The manifest is written last and names the SHA-256 of every file: a folder without one, or whose facts are others, is made again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from preceptor.errors import UsageError
from preceptor.papers.blocks import Document
from preceptor.papers.change_record import change_record
from preceptor.papers.data_card import data_card
from preceptor.papers.facts import Facts
from preceptor.papers.html import html, index
from preceptor.papers.model_card import model_card
from preceptor.papers.pdf import pdf
from preceptor.papers.risk_framework import risk_framework
from preceptor.papers.source_attributes import source_attributes
from preceptor.settings import Workspace
from preceptor.versions import MANIFEST, file_sha256, write_atomic

FOLDER = "papers"  # among the reports
PAPERS: tuple[Callable[[Facts], Document], ...] = (
    model_card,
    data_card,
    source_attributes,
    change_record,
    risk_framework,
)


@dataclass(frozen=True, slots=True)
class Papers:
    """Where the papers of a version are, and what is in each file; `reused`: they were there already."""

    ref: str
    path: Path
    facts: str
    files: dict[str, str]
    reused: bool


def folder_of(workspace: Workspace, ref: str) -> Path:
    """Where the papers of `NAME/VERSION` lie in a home."""
    return workspace.reports / FOLDER / ref.replace("/", "-")


def write_papers(facts: Facts, folder: Path) -> Papers:
    """Write all papers into `folder`, unless those of the same facts are there unchanged; every file whole or not at all.

    Raises `UsageError` if the folder holds other things.
    """
    _require_ours(folder)
    known = _known(folder)
    if known and known["facts"] == facts.digest_of_facts:
        return Papers(facts.ref, folder, known["facts"], known["files"], reused=True)
    (folder / MANIFEST).unlink(missing_ok=True)  # while they are of different facts, nothing vouches for them
    documents = [paper(facts) for paper in PAPERS]
    held = asdict(facts) | {"statements": facts.statements.model_dump(mode="json")}
    files: dict[str, bytes] = {
        "facts.json": (json.dumps(held, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()
    }
    for document in documents:
        files[f"{document.key}.html"] = html(document, facts).encode()
        files[f"{document.key}.pdf"] = pdf(document, facts)
    files["index.html"] = index(documents, facts).encode()
    for name, data in files.items():
        write_atomic(folder / name, data)
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}
    said = {"papers": facts.ref, "facts": facts.digest_of_facts, "as_of": facts.as_of, "files": hashes}
    write_atomic(folder / MANIFEST, json.dumps(said, indent=1) + "\n")
    return Papers(facts.ref, folder, facts.digest_of_facts, hashes, reused=False)


def files_of(folder: Path) -> frozenset[str]:
    """The names of the files that a folder's manifest vouches for, and the manifest's own; empty without one."""
    try:
        said = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return frozenset()
    return (
        frozenset(said["files"]) | {MANIFEST} if isinstance(said, dict) and "papers" in said else frozenset()
    )


def _require_ours(folder: Path) -> None:
    """Raise `UsageError` for a folder that holds other things, which would be written over."""
    names = {f"{paper.__name__.replace('_', '-')}.{kind}" for paper in PAPERS for kind in ("html", "pdf")}
    names |= {"facts.json", "index.html", MANIFEST} | files_of(folder)
    there = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    strangers = sorted(name for name in there if name not in names and not name.endswith(".part"))
    if strangers or ((folder / MANIFEST).exists() and not files_of(folder)):
        what = strangers[0] if strangers else MANIFEST
        raise UsageError(
            f"{folder} holds {what}, which is none of the papers: name a folder of their own with --out."
        )


def _known(folder: Path) -> dict[str, Any] | None:
    """The manifest of a folder whose files are still those that it names."""
    try:
        said = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        same = all(file_sha256(folder / name) == sha for name, sha in said["files"].items())
    except (OSError, ValueError, KeyError):
        return None
    return said if same else None
