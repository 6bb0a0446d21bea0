"""Continued pre-training: which notes it reads, and that it reads all of them."""

from __future__ import annotations

import dataclasses

import pytest

from preceptor.curation.curate import curate
from preceptor.settings import CurationSettings
from preceptor.tables import EXAMPLES, read_examples, read_rows
from preceptor.training.jobs import plan_job
from preceptor.training.notes import NOTES, notes_version
from preceptor.training.worker import train
from tests.curation.test_curation import deidentified, document
from tests.training.test_training import Setup


@pytest.fixture
def curated(tmp_path):
    rows = [document(n, reference_summary=f"Summary {n}.") for n in range(30)]
    rows += [document(n) for n in range(100, 110)]  # of patients without an example
    version = curate(tmp_path / "data", [deidentified(tmp_path / "data", rows)], CurationSettings())
    return version


def test_no_note_of_a_test_patient_and_none_that_repeats_a_test_case(tmp_path, curated):
    examples = read_examples(curated.path / EXAMPLES)
    tested = next(e for e in examples if e.split == "test")
    version = notes_version(tmp_path / "data", curated, CurationSettings())
    rows = read_rows(version.path / NOTES)
    split = {e.patient_ref: e.split for e in examples}
    assert {split.get(row["patient_ref"], "train") for row in rows} == {"train", "validation"}
    assert all(row["split"] == split.get(row["patient_ref"], "train") for row in rows)
    assert len(rows) == 40 - sum(s == "test" for s in split.values())
    assert version.facts["left_out"]["contaminated"] == 0
    assert notes_version(tmp_path / "data", curated, CurationSettings()).reused
    copy = dataclasses.replace(document(200), text=tested.source)
    again = curate(
        tmp_path / "other",
        [
            deidentified(
                tmp_path / "other",
                [*(document(n, reference_summary=f"Summary {n}.") for n in range(30)), copy],
            )
        ],
        CurationSettings(),
    )
    found = notes_version(tmp_path / "other", again, CurationSettings())
    assert found.facts["left_out"]["contaminated"] == 1


def test_every_token_of_every_note_is_learned(tmp_path, curated):
    setup = Setup(
        tmp_path / "home",
        objective="notes",
        batch={"tokens": 256, "max_length": 64, "packing": True},  # a note is longer than a pack
        method={"name": "full"},
        max_steps=6,
    )
    notes = notes_version(tmp_path / "data", curated, CurationSettings())
    job = plan_job(
        setup.workspace, setup.base, [curated, notes], setup.recipe, setup.settings, setup.job.tracking_uri, setup.job.experiment_id
    )  # fmt: skip
    result = train(job, lambda line: None)
    assert result["examples"] == notes.facts["train"]
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(setup.base.path)
    texts = [row["text"] for row in read_rows(notes.path / NOTES) if row["split"] == "train"]
    lengths = [len(tokenizer(text)["input_ids"]) for text in texts]
    assert max(lengths) > 64
    # The end of a note is a token, too.
    assert sum(lengths) <= result["tokens_per_epoch"] <= sum(lengths) + len(lengths)
    assert result["last_loss"] < result["first_loss"]
