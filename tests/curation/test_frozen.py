"""The frozen test split: nothing joins or leaves it unasked, whatever comes later."""

from __future__ import annotations

import dataclasses
import json

from preceptor.curation.curate import curate, grow_test
from preceptor.curation.frozen import FILE, case_key, load_test_split
from preceptor.curation.removed import read_removed
from preceptor.records import Labels
from preceptor.settings import CurationSettings
from preceptor.tables import EXAMPLES, read_examples
from tests.curation.test_curation import deidentified, document


def notes(numbers, patient=lambda n: n, **more):
    return [document(n, patient=patient(n), reference_summary=f"Summary {n}.", **more) for n in numbers]


def test_cases(version):
    return {e.document_refs for e in read_examples(version.path / EXAMPLES) if e.split == "test"}


test_cases.__test__ = False


def make(tmp_path, documents, name="a", **settings):
    return curate(tmp_path, [deidentified(tmp_path / name, documents)], CurationSettings(**settings))


def test_new_notes_of_a_test_patient_wait_until_the_split_grows(tmp_path):
    first = make(tmp_path, notes(range(40), lambda n: n % 20))
    before = test_cases(first)
    assert before
    more = notes(range(40, 80), lambda n: n % 20)
    both = [
        deidentified(tmp_path / "a", notes(range(40), lambda n: n % 20)),
        deidentified(tmp_path / "b", more),
    ]
    second = curate(tmp_path, both, CurationSettings())
    assert test_cases(second) == before
    waiting = second.facts["removed"]["not-in-frozen-test"]
    assert waiting > 0
    assert {r["rule"] for r in read_removed(second.path)} >= {"not-in-frozen-test"}
    grow_test(tmp_path, both, CurationSettings())
    third = curate(tmp_path, both, CurationSettings())
    assert test_cases(third) > before
    assert len(test_cases(third)) == len(before) + waiting
    assert "not-in-frozen-test" not in third.facts["removed"]


def test_a_stricter_rule_takes_no_frozen_case(tmp_path):
    first = make(tmp_path, notes(range(40)))
    stricter = make(tmp_path, notes(range(40)), min_answer_words=10)
    assert test_cases(stricter) == test_cases(first)
    assert stricter.facts["by_task"]["summary"]["train"] == 0
    assert stricter.facts["test_split"]["summary"]["present"] == len(test_cases(first))


def test_the_same_inputs_give_the_same_version_also_after_a_kill(tmp_path):
    first = make(tmp_path, notes(range(40)))
    again = make(tmp_path, notes(range(40)))
    assert again.reused
    assert again.name == first.name
    # Killed between the freezing and the version: the version is not there, the frozen cases are.
    for file in first.path.iterdir():
        file.unlink()
    first.path.rmdir()
    assert make(tmp_path, notes(range(40))).name == first.name


def test_a_new_use_case_gets_a_test_split_of_its_own(tmp_path):
    both = [
        dataclasses.replace(
            d, specialty="cardiology", labels=Labels({"I10": [" ".join(d.text.split()[:3])]}, "A summary.")
        )
        for d in notes(range(40))
    ]
    make(tmp_path, both, tasks=("summary",))
    later = make(tmp_path, both, tasks=("summary", "coding_cardiology"))
    assert later.facts["by_task"]["coding_cardiology"]["test"] > 0


def test_text_that_changed_is_counted(tmp_path):
    documents = notes(range(40))
    first = make(tmp_path, documents)
    ref = sorted(test_cases(first))[0][0]
    mended = [
        document(n, reference_summary=f"Summary {n}, mended." if d.document_ref == ref else f"Summary {n}.")
        for n, d in enumerate(documents)
    ]
    second = make(tmp_path, mended, "b")
    assert test_cases(second) == test_cases(first)
    assert second.facts["test_split"]["summary"]["rewritten"] == 1
    assert second.facts["test_digest"] != first.facts["test_digest"]


def test_the_register_says_nothing_of_a_case(tmp_path):
    make(tmp_path, notes(range(40)))
    text = (tmp_path / FILE).read_text()
    assert "Summary" not in text
    assert set(json.loads(text)["summary"]) == {"by", "grows", "cases"}
    split = load_test_split(tmp_path / FILE)
    assert all(len(key) == 16 for key in split.tasks["summary"].cases)
    assert case_key("a", ["x", "y"]) == case_key("a", ["y", "x"])
