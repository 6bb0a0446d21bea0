"""The drafts that did not become examples: kept, with the rule, so that a person can look at what a filter takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from preceptor.curation.tasks import Draft
from preceptor.tables import read_rows, write_rows

REMOVED = "removed.parquet"
_COLUMNS = {
    **dict.fromkeys(("rule", "task", "patient_ref", "specialty", "prompt", "answer"), "string"),
    "document_refs": "list",
    "like": "list",
}


@dataclass(frozen=True, slots=True)
class Removed:
    """`like`: the documents of the example that a near-duplicate repeats."""

    rule: str
    draft: Draft
    like: tuple[str, ...] = ()


def write_removed(path: Path, gone: Sequence[Removed]) -> None:
    """Write them in the order of rule and document."""
    ordered = sorted(gone, key=lambda r: (r.rule, r.draft.task, r.draft.document_refs))
    write_rows(
        path,
        [
            {
                "rule": r.rule,
                "like": r.like,
                **{name: getattr(r.draft, name) for name in _COLUMNS if name not in ("rule", "like")},
            }
            for r in ordered
        ],
        _COLUMNS,
    )


def read_removed(folder: Path) -> list[dict[str, Any]]:
    """The rows of a curated version."""
    return read_rows(folder / REMOVED)
