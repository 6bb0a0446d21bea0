"""A clinician's decision about an example, from the signed event to the next curated version."""

from __future__ import annotations

import dataclasses

import pytest

from preceptor.curation.curate import curate
from preceptor.curation.frozen import case_key
from preceptor.curation.reviewed import ExampleReview, apply, shown
from preceptor.curation.reviews import CORRECTIONS, decide, decisions, erase_corrections, queue
from preceptor.errors import GateRefused, UsageError
from preceptor.records import PatientRecord
from preceptor.release import users
from preceptor.release.store import Store
from preceptor.settings import CurationSettings
from preceptor.tables import EXAMPLES, read_examples
from tests.curation.test_curation import deidentified, document, draft

PASSWORD = "correct horse battery"


@pytest.fixture
def store(tmp_path):
    opened = Store(tmp_path / "release", bytes(range(32)))
    for name, role in (("rita", "reviewer"), ("pia", "privacy")):
        users.add(opened, name, role, PASSWORD, actor="test")
    yield opened
    opened.close()


@pytest.fixture
def made(tmp_path, store):
    source = deidentified(
        tmp_path / "in", [document(n, reference_summary=f"Summary {n}.") for n in range(30)]
    )

    def make():
        return curate(tmp_path, [source], CurationSettings(), (), decisions(store, tmp_path))

    return make


def examples(version):
    return read_examples(version.path / EXAMPLES)


def say(store, tmp_path, example, verdict, answer=None, record=None, as_user="rita"):
    return decide(
        store, tmp_path, example, verdict, record, as_user=as_user, password=PASSWORD, answer=answer
    )


def test_a_correction_becomes_the_reference_and_can_be_corrected_again(made, store, tmp_path):
    first = made()
    chosen = queue(examples(first))[0]
    assert chosen.split == "test"
    say(store, tmp_path, chosen, "correct", "Better summary of it.")
    second = made()
    now = next(e for e in examples(second) if e.document_refs == chosen.document_refs)
    assert (now.answer, now.reviewer, now.split) == ("Better summary of it.", "rita", "test")
    assert now.reviewed_at
    assert second.facts["reviewed"] == 1
    assert second.name != first.name
    assert now not in queue(examples(second))
    say(store, tmp_path, now, "correct", "The best summary of it.")
    third = next(e for e in examples(made()) if e.document_refs == chosen.document_refs)
    assert third.answer == "The best summary of it."


def test_a_rejected_example_is_not_used_and_is_kept_to_be_seen(made, store, tmp_path):
    chosen = next(e for e in examples(made()) if e.split == "train")
    say(store, tmp_path, chosen, "reject")
    version = made()
    assert version.facts["removed"]["rejected-by-reviewer"] == 1
    assert all(e.document_refs != chosen.document_refs for e in examples(version))


def test_a_decision_about_another_text_counts_no_more():
    review = ExampleReview(shown("asked", "answered"), "reject", "rita", "2026-01-01")
    one = draft()
    kept, rejected, outdated = apply([one], {case_key(one.task, one.document_refs): [review]})
    assert (kept, rejected, outdated) == ([one], [], 1)
    fits = dataclasses.replace(review, shown=shown(one.prompt, one.answer))
    kept, rejected, outdated = apply([one], {case_key(one.task, one.document_refs): [fits]})
    assert (kept, [d.source for d in rejected], outdated) == ([], [one.source], 0)


def test_a_correction_with_an_identifier_is_refused_by_rule_and_without_its_text(made, store, tmp_path):
    chosen = queue(examples(made()))[0]
    record = PatientRecord.from_mapping(
        {"patient_id": "1", "name": "Wilhelmina Oosterhuis", "mrn": "55-81-2203"}
    )
    for answer in ("Seen: Wilhelmina Oosterhuis, stable.", "Stable. Call (505) 555-0117 with results."):
        with pytest.raises(UsageError, match="phi-suspected") as caught:
            say(store, tmp_path, chosen, "correct", answer, record)
        assert "Oosterhuis" not in str(caught.value)
        assert "0117" not in str(caught.value)
    assert not (tmp_path / CORRECTIONS).exists()
    assert decisions(store, tmp_path) == {}


@pytest.mark.parametrize(("verdict", "answer"), [("correct", None), ("accept", "Other."), ("correct", " ")])
def test_verdict_and_answer_belong_together(made, store, tmp_path, verdict, answer):
    with pytest.raises(UsageError):
        say(store, tmp_path, queue(examples(made()))[0], verdict, answer)


def test_only_clinicians_review(made, store, tmp_path):
    with pytest.raises(GateRefused):
        say(store, tmp_path, queue(examples(made()))[0], "accept", as_user="pia")


def test_an_erased_patients_correction_goes_and_counts_no_more(made, store, tmp_path):
    chosen = queue(examples(made()))[0]
    say(store, tmp_path, chosen, "correct", "Better summary of it.")
    erase_corrections(tmp_path, "p-nobody")
    assert len(list((tmp_path / CORRECTIONS).iterdir())) == 1
    erase_corrections(tmp_path, chosen.patient_ref)
    assert not list((tmp_path / CORRECTIONS).iterdir())
    assert decisions(store, tmp_path) == {}
