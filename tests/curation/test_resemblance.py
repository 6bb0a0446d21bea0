"""The same in other words, by word vectors."""

from __future__ import annotations

import random

import pytest

from preceptor.curation.contamination import HeldOut
from preceptor.curation.removed import read_removed
from preceptor.curation.resemblance import Resemblance
from preceptor.deid.tagger.notes import annotated_notes
from preceptor.settings import CurationSettings
from preceptor.tables import EXAMPLES, read_examples
from tests.curation.test_curation import curated, document

# One of each patient: two notes of one visit are alike, and are in one split.
NOTES = [
    note.text
    for note in {n.patient: n for n in annotated_notes()}.values()
    if 60 <= len(note.text.split()) <= 400
]
CASE = """The patient is a seventy-year-old man who came to the emergency room with chest pain that began two hours before
he arrived. The pain was pressing, went into his left arm, and got worse when he climbed the stairs. He took an aspirin at home.
The electrocardiogram showed ST elevation in the inferior leads and the troponin was raised. He was taken to the
catheterisation laboratory, where a blocked right coronary artery was opened and a stent was placed. He had no fever and no cough."""
AGAIN = """A seventy-year-old man came to the emergency department because of chest pain which started two hours before arrival.
It was a pressing pain, radiated to the left arm, and became worse when climbing stairs. At home he took aspirin. On the
electrocardiogram there was ST elevation in inferior leads, and troponin was elevated. In the catheterisation laboratory
the blocked right coronary artery was opened, and he received a stent. There was neither cough nor fever."""
OTHER = """The patient is a seventy-year-old woman who came to the clinic for her knee, which has hurt for two years. The pain
is worse on stairs and after long walks, and better with rest and ibuprofen. On examination there is crepitus, a small
effusion and no instability. The radiograph showed narrowing of the medial compartment. We talked about an injection, physical
therapy and, later, a replacement. She has no fever, and she would like to try the therapy first and return in three months."""


@pytest.fixture(scope="module")
def held_out():
    return HeldOut([CASE], [(f"p-{n}", (text,)) for n, text in enumerate(NOTES)], CurationSettings())


def test_a_paraphrase_is_found_that_shares_no_run_of_words(held_out):
    assert not held_out.too_much_in((AGAIN,))
    assert held_out.resembled_by(("A short question.", AGAIN)) and held_out.given_away_by((AGAIN,))
    assert not held_out.given_away_by((OTHER,))


def test_a_training_example_that_retells_a_test_case_goes_and_is_named(tmp_path):
    count = 150

    def made(folder, planted):
        documents = [
            document(n, text=planted.get(n, text), reference_summary="The course was stable.")
            for n, text in enumerate(NOTES[:count])
        ]
        return curated(folder, documents)

    before = made(tmp_path / "before", {})
    split = {e.document_refs[0]: e.split for e in read_examples(before.path / EXAMPLES)}
    tested, learnt = (
        next(n for n in range(count) if split.get(f"d-{n:016x}") == name) for name in ("test", "train")
    )
    version = made(tmp_path / "planted", {tested: CASE, learnt: AGAIN})
    assert version.facts["removed"]["resembles-test"] == 1
    (row,) = [r for r in read_removed(version.path) if r["rule"] == "resembles-test"]
    assert row["document_refs"] == [f"d-{learnt:016x}"]


@pytest.mark.parametrize("count", [10, 16, 24, 60, 120])
def test_of_a_small_collection_nothing_goes_either(count):
    """What all its texts share has to be known before two of them can be called alike."""
    drawn = random.Random(count).sample(NOTES, count)
    held_out = HeldOut(drawn[: count // 4], [(str(n), (t,)) for n, t in enumerate(drawn)], CurationSettings())
    assert not any(held_out.resembled_by_each([(text,) for text in drawn[count // 4 :]]))


def test_real_notes_are_not_taken_for_each_other():
    drawn = random.Random(3).sample(NOTES, 120)
    found = HeldOut(drawn[:40], [(str(n), (t,)) for n, t in enumerate(NOTES)], CurationSettings())
    assert sum(found.resembled_by((text,)) for text in drawn[40:]) <= 2


def test_a_text_with_some_of_its_words_left_out_is_found_mostly():
    rng = random.Random(5)
    found = Resemblance(NOTES[:60], NOTES, 0.9)
    thinned = [" ".join(w for w in text.split() if rng.random() > 0.15) for text in NOTES[:60]]
    assert sum(found.find([(text,)])[0] for text in thinned) >= 48


def test_many_at_once_are_judged_as_one_by_one(held_out):
    texts = [(AGAIN,), (OTHER,), ("short", AGAIN), ("short",), *((note,) for note in NOTES[:40])]
    one_by_one = [held_out.resembled_by(text) for text in texts]
    assert held_out.resembled_by_each(texts) == one_by_one
    assert one_by_one[:4] == [True, False, True, False]


def test_short_texts_are_alike_by_their_topic_and_do_not_count(held_out):
    first_words = " ".join(CASE.split()[:39])
    assert not held_out.resembled_by((first_words,))
    short = HeldOut([first_words], [(str(n), (t,)) for n, t in enumerate(NOTES)], CurationSettings())
    assert not short.resembled_by((CASE,))


def test_the_same_form_with_other_values_is_another_case():
    form = (
        "Haemoglobin {} g/dl, white cells {}, platelets {}, sodium {}, potassium {}, creatinine {}. " + CASE
    )
    held_out = Resemblance([form.format(13.1, 8.2, 210, 139, 4.1, 0.9)], NOTES, 0.9)
    assert held_out.find([(form.format(13.1, 8.2, 210, 139, 4.1, 1.2),)]) == [True]
    assert held_out.find([(form.format(9.8, 14.4, 87, 128, 5.6, 3.3),)]) == [False]


def test_it_can_be_switched_off_and_nothing_is_like_nothing():
    off = CurationSettings(decontamination_similarity=1.5)
    assert not HeldOut([CASE], [("p", (CASE,))], off).resembled_by((CASE,))
    assert not HeldOut([], [("p", (CASE,))], CurationSettings()).resembled_by((CASE,))
    assert not HeldOut([CASE], [("p", (CASE,))], CurationSettings()).resembled_by((CASE,))  # too few to tell
    enough = [(str(n), (text,)) for n, text in enumerate((CASE, *NOTES[:15]))]
    assert HeldOut([CASE], enough, CurationSettings()).resembled_by((CASE,))
