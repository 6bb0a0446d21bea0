"""Faults planted in data sets themselves, not in frames: each is caught by the gate's own look at the rows, and named."""

from __future__ import annotations

import dataclasses

import pytest

from preceptor.curation.removed import REMOVED, write_removed
from preceptor.errors import GateRefused
from preceptor.quality import check, require
from preceptor.quality.frames import curated, synthetic
from preceptor.records import Example
from preceptor.settings import CurationSettings
from preceptor.tables import EXAMPLES, write_examples

WORDS = "patient seen today for follow up of knee pain after a fall on the stairs with swelling and stiffness".split()


def example(n, split="train", answer="Knee pain after a fall.", **changes):
    source = " ".join([f"case{n}", *WORDS[n % 7 :], f"visit{n}", *WORDS[: n % 5], f"end{n}"])
    made = Example(
        f"summary-{n}", "summary", split, f"p-{n}", (f"d-{n}",), "general", f"Summarise.\n\n{source}", answer
    )
    return dataclasses.replace(made, **changes)


def good():
    # Sources of which no two share thirteen words in a row.
    return [
        dataclasses.replace(
            example(n, "test" if n == 0 else "train"),
            prompt="Summarise.\n\n" + " ".join(f"{word}{n}" for word in WORDS),
        )
        for n in range(5)
    ]


def judged(tmp_path, rows):
    folder = tmp_path / "curated"
    folder.mkdir()
    write_examples(folder / EXAMPLES, rows)
    write_removed(folder / REMOVED, [])
    return check(tmp_path, "curated_examples", "v1", curated(folder, CurationSettings()))


def broken(verdict):
    return [r["rule"] for r in verdict.results if not r["passed"]]


def test_good_rows_pass(tmp_path):
    assert broken(judged(tmp_path, good())) == []


@pytest.mark.parametrize(
    ("rule", "plant"),
    [
        ("example-once", lambda rows: [*rows, rows[1]]),
        ("clean-of-test", lambda rows: [*rows, dataclasses.replace(rows[0], example_id="x", split="train", patient_ref="p-x")]),
        ("patient-in-one-split", lambda rows: [*rows, dataclasses.replace(rows[1], example_id="x", split="validation")]),
        ("codes-exist", lambda rows: [dataclasses.replace(rows[1], answer="I10: pain\nZ99.999: fall"), *rows[2:], rows[0]]),
    ],
)  # fmt: skip
def test_a_planted_fault_is_caught_and_stops_who_comes_next(tmp_path, rule, plant):
    assert broken(judged(tmp_path, plant(good()))) == [rule]
    with pytest.raises(GateRefused, match=rule):
        require(tmp_path, "curated_examples", "v1")


def made(seed, text):
    return dataclasses.replace(
        seed, example_id="s-1", prompt=f"Summarise.\n\n{text}", provenance="synthetic", generator="local:x", seeds=(seed.example_id,)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rule", "text", "cap"),
    [
        (None, "Knee pain after a fall, written in other words.", 0.5),
        ("phi-free", "Knee pain after a fall. Call (505) 555-0117 with the result.", 0.5),
        ("clean-of-test", " ".join(f"{word}0" for word in WORDS), 0.5),
        ("share-within-cap", "Knee pain after a fall, written in other words.", 0.1),
    ],
)
def test_a_planted_synthetic_row_is_caught(tmp_path, rule, text, cap):
    rows = good()
    for name, found in (("seeds", rows), ("synthetic", [made(rows[1], text)])):
        (tmp_path / name).mkdir()
        write_examples(tmp_path / name / EXAMPLES, found)
        write_removed(tmp_path / name / REMOVED, [])
    frame = synthetic(tmp_path / "synthetic", tmp_path / "seeds", cap, CurationSettings())
    verdict = check(tmp_path, "synthetic_examples", "v1", frame)
    assert broken(verdict) == ([rule] if rule else [])
    assert "0117" not in (tmp_path / "verdicts" / "synthetic_examples-v1.json").read_text()
