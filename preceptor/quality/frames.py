"""The frames that suites judge: one row for each thing, columns of counts and codes, no text of a document."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from preceptor import icd10
from preceptor.curation.contamination import HeldOut
from preceptor.curation.removed import read_removed
from preceptor.deid.leakcheck import leaks
from preceptor.records import Example
from preceptor.settings import CurationSettings
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


def curated(folder: Path, settings: CurationSettings) -> pd.DataFrame:
    """One row an example: its marks and lengths, in how many splits its patient is, its codes that do not exist, and
    whether it has too much of a test case that it is not (`contamination.HeldOut`)."""
    import pandas as pd

    found = read_examples(folder / EXAMPLES)
    splits: dict[str, set[str]] = defaultdict(set)
    for example in found:
        splits[example.patient_ref].add(example.split)
    overlaps = _test_overlaps(found, found, folder, settings)
    rows = [
        {**_row(e), "patient_splits": len(splits[e.patient_ref]), "test_overlap": int(dirty)}
        for e, dirty in zip(found, overlaps, strict=True)
    ]
    return pd.DataFrame(rows, columns=[*_ROW, "patient_splits", "test_overlap"])


def synthetic(folder: Path, seeded_from: Path, share_cap: float, settings: CurationSettings) -> pd.DataFrame:
    """The same of synthetic examples; in how many places they may name somebody whom their seeds do not, and by how much
    their share of the training data is over the cap. `seeded_from` is the folder of the curated version."""
    import pandas as pd

    found, seeds = read_examples(folder / EXAMPLES), read_examples(seeded_from / EXAMPLES)
    text = {e.example_id: f"{e.prompt}\n{e.answer}".lower() for e in seeds}
    train = sum(e.split == "train" for e in seeds)
    over = max(0.0, len(found) / (len(found) + train) - share_cap) if found else 0.0
    rows = [
        {
            **_row(e),
            "test_overlap": int(dirty),
            "suspected_identifiers": _suspected(e, " ".join(text.get(seed, "") for seed in e.seeds)),
            "share_over_cap": over,
        }
        for e, dirty in zip(found, _test_overlaps(found, seeds, seeded_from, settings), strict=True)
    ]
    return pd.DataFrame(rows, columns=[*_ROW, "test_overlap", "suspected_identifiers", "share_over_cap"])


_ROW = (
    "example_id", "task", "split", "prompt_characters", "answer_characters", "documents", "provenance", "generator",
    "seeds", "unknown_codes",
)  # fmt: skip
_CODE_LINE = re.compile(r"([A-Z][0-9][0-9A-Z](?:\.[0-9A-Z]{1,4})?)(?:: .*)?")


def _row(example: Example) -> dict[str, Any]:
    return {
        "example_id": example.example_id,
        "task": example.task,
        "split": example.split,
        "prompt_characters": len(example.prompt.strip()),
        "answer_characters": len(example.answer.strip()),
        "documents": len(example.document_refs),
        "provenance": example.provenance,
        "generator": example.generator,
        "seeds": len(example.seeds),
        "unknown_codes": len(icd10.unknown(_codes(example.answer))),
    }


def _codes(answer: str) -> list[str]:
    """The codes of an answer that is a list of codes; none of another."""
    lines = [_CODE_LINE.fullmatch(line.strip()) for line in answer.splitlines() if line.strip()]
    return [match[1] for match in lines if match] if all(lines) else []


def _test_overlaps(
    examples: Sequence[Example], cases: Sequence[Example], folder: Path, settings: CurationSettings
) -> list[bool]:
    """For each example whether it has too much of a test case of the version in `folder`, whose examples `cases` are; a test
    case itself does not count."""
    held_out = HeldOut.of_examples(cases, settings, read_removed(folder))
    return [e.split != "test" and held_out.too_much_in((e.source, e.answer)) for e in examples]


def _suspected(example: Example, known: str) -> int:
    text = f"{example.source}\n{example.answer}"
    return sum(text[leak.start : leak.end].lower() not in known for leak in leaks((), None, "", text))
