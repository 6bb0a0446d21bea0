"""Rows in the terms of the ICD-10-CM tabular list."""

import dataclasses

from preceptor import icd10
from preceptor.curation.contamination import HeldOut
from preceptor.records import Example
from preceptor.settings import CurationSettings, SynthesisSettings
from preceptor.synthesis.filters import Candidate, refusal_of_new
from preceptor.synthesis.knowledge import codes_of, problem_lists
from preceptor.synthesis.stage import synthesize
from preceptor.tables import EXAMPLES, read_examples, write_examples
from preceptor.versions import make_version

SEED = Example(
    "c-1", "coding_cardiology", "train", "p-1", ("d-1",), "cardiology", "Assign the codes.\n\nA note.",
    "I50.23: acute on chronic systolic failure\nI10: hypertension",
)  # fmt: skip


def test_lists_name_thin_codes_and_their_siblings_in_the_lists_own_terms():
    common = [
        dataclasses.replace(SEED, example_id=f"h-{n}", answer="I10: high blood pressure") for n in range(3)
    ]
    made = list(problem_lists([SEED, *common], 40))
    assert made == list(problem_lists([SEED, *common], 40))
    named = {code for _, answer in made for code in codes_of(answer)}
    assert "I10" not in named
    assert {"I50.23", "I50.21"} <= named
    assert named <= {"I50.20", "I50.21", "I50.22", "I50.23"}
    for candidate, answer in made:
        for line in answer.splitlines():
            code, _, term = line.partition(": ")
            assert term in candidate.text
            assert term.lower() in {said.lower() for said in icd10.terms(code)}
        assert refusal_of_new(candidate, HeldOut([], [], CurationSettings())) is None


def test_nothing_comes_of_other_use_cases_or_of_none():
    assert list(problem_lists([dataclasses.replace(SEED, task="summary")], 5)) == []
    assert list(problem_lists([], 5)) == []


def test_a_planted_identifier_is_refused_by_name():
    planted = Candidate("ASSESSMENT\n1. Seen with Mr. Okonkwo-Hadžić, 419-555-0112", "", SEED)
    assert refusal_of_new(planted, HeldOut([], [], CurationSettings())) == "identifier-shape"
    named = Candidate("ASSESSMENT\n1. Seen with Mr. Okonkwo-Hadžić", "", SEED)
    assert refusal_of_new(named, HeldOut([], [], CurationSettings())) == "phi-suspected"


def test_rows_are_marked_and_capped_without_any_model(tmp_path):
    rows = [dataclasses.replace(SEED, example_id=f"c-{n}", patient_ref=f"p-{n}") for n in range(8)]

    def write(folder):
        write_examples(folder / EXAMPLES, rows)
        return {"by_task": {"coding_cardiology": {"train": 8, "validation": 0, "test": 0}}}

    curated = make_version(tmp_path, "curated", inputs={}, config=1, code="1", write=write)
    settings = SynthesisSettings(generator="none", knowledge=20, max_share=0.2)
    version = synthesize(tmp_path, curated, settings, CurationSettings(), lambda: None)
    made = read_examples(version.path / EXAMPLES)
    assert len(made) == 2
    assert {(row.provenance, row.split, row.task) for row in made} == {
        ("synthetic", "train", "coding_cardiology")
    }
    assert all(row.generator.startswith("icd-10-cm:simple-icd-10-cm==") and row.seeds for row in made)
    assert version.facts["accepted_by_generator"] == {made[0].generator: 2}
    assert version.facts["refused"]["over-cap"] + version.facts["refused"].get("repeats-another", 0) == 18
