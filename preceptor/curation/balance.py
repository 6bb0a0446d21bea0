"""Who and what is in the data: examples and patients by group, beside the population that it is meant for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from preceptor.language import language
from preceptor.records import DeidentifiedDocument, Example

UNKNOWN = "unknown"
_THIN = 0.5  # of its share in the population: a group with less is named


def source_of(document: DeidentifiedDocument) -> str:
    """Where it comes from: a batch is named after its source."""
    return document.batch.rpartition("-")[0] or document.batch


def groups_of(document: DeidentifiedDocument) -> dict[str, str]:
    """The groups that a document belongs to."""
    return {
        "specialty": document.specialty,
        "note type": document.note_type,
        "age band": document.age_band or UNKNOWN,
        "sex": document.sex or UNKNOWN,
        "language": language(document.text) or UNKNOWN,
        "site": source_of(document),
        "author": document.author_role or UNKNOWN,
        "year": document.year or UNKNOWN,
    }


def balance(
    examples: Iterable[Example],
    documents: Mapping[str, DeidentifiedDocument],
    population: Mapping[str, Mapping[str, float]],
) -> dict[str, dict[str, dict[str, Any]]]:
    """For each field and group: examples and patients by split, the share of the training examples, and the share that
    the population has. A group of the population that is missing or thin says so in `warning`.

    An example counts for the document that it was made from last: the one whose reference it learns.
    """
    counted: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
    patients: dict[tuple[str, str], set[str]] = defaultdict(set)
    train = 0
    for example in examples:
        train += example.split == "train"
        for field, group in groups_of(documents[example.document_refs[-1]]).items():
            row = counted[field].setdefault(group, {"train": 0, "validation": 0, "test": 0})
            row[example.split] += 1
            patients[field, group].add(example.patient_ref)
    for field, wanted in population.items():
        for group in wanted:
            counted[field].setdefault(group, {"train": 0, "validation": 0, "test": 0})
    return {
        field: {
            group: _row(
                row, len(patients[field, group]), row["train"] / train if train else 0.0,
                population.get(field, {}).get(group),
            )
            for group, row in sorted(rows.items(), key=lambda pair: (-pair[1]["train"], pair[0]))
        }
        for field, rows in sorted(counted.items())
    }  # fmt: skip


def lacking(table: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[tuple[str, str, Mapping[str, Any]]]:
    """The groups of the population that a table warns of: field, group, and its row."""
    return [
        (field, group, row)
        for field, rows in table.items()
        for group, row in rows.items()
        if "warning" in row
    ]


def _row(counts: dict[str, int], patients: int, share: float, target: float | None) -> dict[str, Any]:
    row: dict[str, Any] = {**counts, "patients": patients, "share": round(share, 4), "target": target}
    if target and not counts["train"]:
        row["warning"] = "missing"
    elif target and share < _THIN * target:
        row["warning"] = "thin"
    return row
