"""The notes that continued pre-training reads: whole de-identified documents, none of a patient who is tested on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from preceptor.curation.contamination import HeldOut
from preceptor.settings import CurationSettings
from preceptor.tables import DOCUMENTS, EXAMPLES, read_documents, read_examples, write_rows
from preceptor.versions import DatasetVersion, load, make_version

STAGE = "notes"
NOTES = "notes.parquet"
_COLUMNS = dict.fromkeys(("document_ref", "patient_ref", "split", "note_type", "specialty", "text"), "string")


def notes_version(data: Path, curated: DatasetVersion, settings: CurationSettings) -> DatasetVersion:
    """Make the version of the notes behind a curated one: those of its validation patients to validate, none of its test
    patients, and none that has too much of a test case or resembles one (`contamination.HeldOut`); all others to train.

    Patients without any example train, too. Facts: notes by split, how many were left out by rule.
    """
    sources = [load(data, stage, name) for stage, name in curated.manifest["inputs"].items()]

    def write(folder: Path) -> dict[str, Any]:
        examples = read_examples(curated.path / EXAMPLES)
        splits = {e.patient_ref: e.split for e in examples}
        tested = [text for e in examples if e.split == "test" for text in (e.prompt, e.answer)]
        left = set(curated.manifest["config"].get("left_out", ()))
        documents = [
            d for s in sources for d in read_documents(s.path / DOCUMENTS) if d.patient_ref not in left
        ]
        held_out = HeldOut(tested, [(d.patient_ref, (d.text,)) for d in documents], settings)
        rows, gone = [], {"of-test-patient": 0, "contaminated": 0}
        for document in documents:
            split = splits.get(document.patient_ref, "train")
            rule = (
                "of-test-patient"
                if split == "test"
                else "contaminated"
                if held_out.given_away_by((document.text,))
                else None
            )
            if rule:
                gone[rule] += 1
                continue
            kept = {name: getattr(document, name) for name in _COLUMNS if name != "split"}
            rows.append({**kept, "split": split})
        write_rows(folder / NOTES, rows, _COLUMNS)
        counts = {split: sum(row["split"] == split for row in rows) for split in ("train", "validation")}
        return {**counts, "left_out": gone}

    return make_version(
        data,
        STAGE,
        inputs={"curated": curated.name, **{s.stage: s.name for s in sources}},
        config=settings.model_dump(
            mode="json",
            include={"decontamination_ngram", "decontamination_share", "decontamination_similarity"},
        ),
        code="2",
        write=write,
    )
