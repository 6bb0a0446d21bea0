"""The frames that suites judge: one row for each thing, columns of counts and codes, no text of a document."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from preceptor.tables import DOCUMENTS, EXAMPLES, read_documents, read_examples, read_rows
from preceptor.vault import Vault

if TYPE_CHECKING:
    import pandas as pd


def raw_batch(vault: Vault, batch: str, max_quarantined_share: float) -> pd.DataFrame:
    """One row: what a batch holds, and whether more was quarantined than is usual."""
    import pandas as pd

    counts = vault.counts(batch)
    total = counts.documents + counts.quarantined
    share = counts.quarantined / total if total else 0.0
    return pd.DataFrame(
        [
            {
                "documents": counts.documents,
                "patients": counts.patients,
                "quarantined": counts.quarantined,
                "quarantined_over_limit": max(0.0, share - max_quarantined_share),
            }
        ]
    )


def deidentified(folder: Path) -> pd.DataFrame:
    """One row a document: its references, lengths, and in how many ways the leak check stopped it."""
    import pandas as pd

    leaks: dict[str, int] = defaultdict(int)
    for row in read_rows(folder / "withheld.parquet"):
        leaks[row["document_ref"]] += 1
    rows: list[dict[str, Any]] = [
        {
            "document_ref": d.document_ref,
            "patient_ref": d.patient_ref,
            "characters": len(d.text.strip()),
            "note_type": d.note_type,
            "specialty": d.specialty,
            "leaks": leaks[d.document_ref],
        }
        for d in read_documents(folder / DOCUMENTS)
    ]
    columns = ["document_ref", "patient_ref", "characters", "note_type", "specialty", "leaks"]
    return pd.DataFrame(rows, columns=columns)


def examples(folder: Path, synthetic_share_cap: float | None = None, train_rows: int = 0) -> pd.DataFrame:
    """One row an example: its marks and lengths, in how many splits its patient is, and the synthetic share."""
    import pandas as pd

    found = read_examples(folder / EXAMPLES)
    splits: dict[str, set[str]] = defaultdict(set)
    for example in found:
        splits[example.patient_ref].add(example.split)
    share = len(found) / (len(found) + train_rows) if found else 0.0
    rows = [
        {
            "example_id": e.example_id,
            "task": e.task,
            "split": e.split,
            "prompt_characters": len(e.prompt.strip()),
            "answer_characters": len(e.answer.strip()),
            "documents": len(e.document_refs),
            "patient_splits": len(splits[e.patient_ref]),
            "provenance": e.provenance,
            "generator": e.generator,
            "seeds": len(e.seeds),
            "share_over_cap": max(0.0, share - synthetic_share_cap)
            if synthetic_share_cap is not None
            else 0.0,
        }
        for e in found
    ]
    columns = [
        *("example_id", "task", "split", "prompt_characters", "answer_characters", "documents"),
        *("patient_splits", "provenance", "generator", "seeds", "share_over_cap"),
    ]
    return pd.DataFrame(rows, columns=columns)
