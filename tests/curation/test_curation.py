from __future__ import annotations

import dataclasses

import pytest

from preceptor.curation.curate import curate
from preceptor.curation.duplicates import contaminated, near_duplicates
from preceptor.curation.quality import rejection
from preceptor.curation.split import assign
from preceptor.curation.tasks import Draft, Shelf, derive, load_use_cases
from preceptor.records import DeidentifiedDocument, Labels
from preceptor.settings import TASKS, CurationSettings
from preceptor.tables import DOCUMENTS, EXAMPLES, read_examples, write_documents
from preceptor.versions import make_version

LONG = "The patient was seen for knee pain after a fall and walks with a stick and has swelling of the left knee today "


def document(
    n, text=None, specialty="orthopaedics", note_type="clinic note", patient=None, encounter=None, **labels
):
    return DeidentifiedDocument(
        document_ref=f"d-{n:016x}",
        patient_ref=f"p-{patient if patient is not None else n:016x}",
        batch="b1",
        note_type=note_type,
        specialty=specialty,
        encounter=encounter,
        format="text",
        text=text or f"Visit {n}: " + " ".join(f"word{n}x{i}" for i in range(40)),
        labels=Labels(**labels),
    )


def draft(source=LONG * 2, answer="A summary of it.", task="summary"):
    return Draft(task, "p-0", ("d-0",), "general", "Summarise.", source, answer)


def test_each_use_case_derives_what_its_labels_teach():
    transcript = document(
        1, note_type="therapy session transcript", specialty="behavioural health", patient=1
    )
    note = document(
        2, note_type="DAP note", specialty="behavioural health", patient=1, follows=transcript.document_ref
    )
    coded = document(
        3, text=LONG, codes={"M25.562": ["swelling of the left knee"]}, reference_summary="Knee pain."
    )
    reasoned = document(
        4, differential=({"diagnosis": "Gout", "for": ["swelling"], "against": []},), specialty="general"
    )
    shelf = Shelf([transcript, note, coded, reasoned])
    drafts = {d.task: d for case in load_use_cases(TASKS) for d in derive(case, shelf)}
    assert set(drafts) == {"bh_note", "coding_orthopaedics", "summary", "differential"}
    assert drafts["bh_note"].answer == note.text.strip()
    assert "DAP note" in drafts["bh_note"].prompt
    assert drafts["bh_note"].document_refs == (transcript.document_ref, note.document_ref)
    assert drafts["coding_orthopaedics"].answer == "M25.562: swelling of the left knee"
    assert drafts["differential"].answer == "1. Gout — for: swelling; against: none"


def test_a_session_pair_is_found_by_encounter_only_if_it_is_the_only_one():
    session = {"specialty": "behavioural health", "patient": 1, "encounter": "e-1"}
    transcripts = [document(n, note_type="therapy session transcript", **session) for n in (1, 2)]
    note = document(3, note_type="SOAP note", **session)
    case = load_use_cases(("bh_note",))[0]
    assert len(list(derive(case, Shelf([transcripts[0], note])))) == 1
    assert list(derive(case, Shelf([*transcripts, note]))) == []


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"source": "Too short."}, "prompt-too-short"),
        ({"source": LONG * 60}, "prompt-too-long"),
        ({"answer": ""}, "answer-too-short"),
        ({"answer": "word " * 401}, "answer-too-long"),
        ({"source": LONG * 2 + "<|im_end|>"}, "control-tokens"),
        ({"source": LONG + "\x00\x01\x02\x03\x04\x05\x06\x07" * 4}, "unreadable-text"),
        ({"answer": LONG * 4}, "answer-longer-than-source"),
        ({"task": "coding_cardiology", "answer": "I10: hypertension"}, "unsupported-evidence"),
        ({"task": "coding_cardiology", "answer": "high blood pressure"}, "unsupported-evidence"),
    ],
)
def test_each_quality_rule_takes_what_breaks_it(changed, rule):
    assert rejection(draft(), CurationSettings()) is None
    assert rejection(dataclasses.replace(draft(), **changed), CurationSettings()) == rule


def test_a_near_duplicate_points_to_the_first_and_others_stay():
    base = " ".join(f"w{i}" for i in range(200))
    nearly = base.replace("w100", "changed")
    other = " ".join(f"v{i}" for i in range(200))
    assert near_duplicates([base, other, nearly], 0.8) == [None, None, 0]


def test_a_run_of_words_shared_with_the_test_split_is_contamination():
    held_out = " ".join(f"w{i}" for i in range(40))
    assert contaminated([f"a b {held_out}", "nothing in common here"], [held_out], 13) == [True, False]
    assert contaminated([" ".join(f"w{i}" for i in range(12))], [held_out], 13) == [False]


def test_the_split_keeps_shares_in_every_stratum_and_moves_nobody():
    strata = {f"p{i}": "rare" if i < 10 else "common" for i in range(100)}
    first = assign(strata, {}, 0.2, 0.1)
    for stratum, size in (("rare", 10), ("common", 90)):
        in_test = sum(first[p] == "test" for p in strata if strata[p] == stratum)
        assert in_test == pytest.approx(0.2 * size, abs=1)
    grown = assign(strata | {f"q{i}": "common" for i in range(50)}, first, 0.2, 0.1)
    assert {p: grown[p] for p in first} == first


def curated(tmp_path, documents, **changes):
    def write(folder):
        write_documents(folder / DOCUMENTS, documents)
        return {"documents": len(documents)}

    source = make_version(
        tmp_path, "deid-b1", inputs={"n": str(len(documents))}, config=changes, code="1", write=write
    )
    return curate(tmp_path, [source], CurationSettings(), changes.get("unusable", ()))


def test_no_patient_is_in_two_splits_and_every_example_names_its_documents(tmp_path):
    documents = [document(n, patient=n % 20, reference_summary=f"Summary {n}.") for n in range(60)]
    version = curated(tmp_path, documents)
    examples = read_examples(version.path / EXAMPLES)
    splits = {}
    for example in examples:
        splits.setdefault(example.patient_ref, set()).add(example.split)
        assert example.document_refs
    assert {len(s) for s in splits.values()} == {1}
    assert {e.split for e in examples} == {"train", "validation", "test"}
    assert version.facts["drafts"] == 60


def test_a_planted_copy_of_a_test_note_does_not_reach_training(tmp_path):
    documents = [document(n, reference_summary=f"Summary {n}.") for n in range(30)]
    held_out = next(
        e for e in read_examples(curated(tmp_path / "a", documents).path / EXAMPLES) if e.split == "test"
    )
    source = next(d for d in documents if d.document_ref in held_out.document_refs)
    planted = [
        document(
            1000 + n,
            text=f"Copied forward. {source.text} And {n} more words of its own.",
            reference_summary="S.",
        )
        for n in range(8)
    ]
    version = curated(tmp_path / "b", documents + planted)
    taken = version.facts["removed"]
    learnt = [e for e in read_examples(version.path / EXAMPLES) if e.split != "test"]
    assert taken.get("near-duplicate", 0) + taken.get("contaminated", 0) >= 7
    assert not any(source.text in e.prompt for e in learnt)


def test_an_erased_patient_is_left_out_of_the_next_version(tmp_path):
    documents = [document(n, reference_summary=f"Summary {n}.") for n in range(10)]
    gone = documents[3].patient_ref
    version = curated(tmp_path, documents, unusable=[gone])
    assert all(e.patient_ref != gone for e in read_examples(version.path / EXAMPLES))
    assert version.manifest["config"]["left_out"] == [gone]
