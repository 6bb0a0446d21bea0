from __future__ import annotations

import dataclasses
import re

import pytest

from preceptor.curation.contamination import HeldOut
from preceptor.records import DeidentifiedDocument, Example, Labels
from preceptor.settings import CurationSettings, SynthesisSettings
from preceptor.synthesis.filters import refusal_of_variation
from preceptor.synthesis.stage import synthesize
from preceptor.synthesis.targets import ranked
from preceptor.synthesis.variations import RECIPE, variations
from preceptor.tables import EXAMPLES, read_examples, write_examples
from preceptor.versions import make_version

NOTE = """HISTORY
He is a 61-year-old man with a history of hypertension who reports shortness of breath when climbing two flights.
EXAMINATION
Blood pressure 148/92, heart rate 77, clear lungs, trace oedema of both ankles in the evening.
PLAN
Amlodipine 5 mg is raised to 10 mg twice daily as needed; he returns in six weeks with his readings.
"""
SEED = Example(
    "s-1", "summary", "train", "p-1", ("d-1",), "cardiology", f"Summarise.\n\n{NOTE}", "A man whose pressure is high; he returns."
)  # fmt: skip
CODED = dataclasses.replace(
    SEED, example_id="c-1", task="coding_cardiology", answer="I10: hypertension\nR06.02: shortness of breath"
)
NUMBERS = re.compile(r"\d+(?:[/.]\d+)?")


def many(seed):
    """Variations of as many copies, each drawn by its own name: all ways come up."""
    copies = [dataclasses.replace(seed, example_id=f"{seed.example_id}-{n}") for n in range(60)]
    return list(variations(copies, 60))


@pytest.mark.parametrize("seed", [SEED, CODED])
def test_every_variation_differs_keeps_the_numbers_and_passes_its_rules(seed):
    made = many(seed)
    assert len(made) == 60
    assert len({candidate.text for candidate, _ in made}) > 20
    for candidate, _ in made:
        assert candidate.text != candidate.source
        assert sorted(NUMBERS.findall(candidate.text)) == sorted(NUMBERS.findall(NOTE))
        assert refusal_of_variation(candidate, HeldOut([], [], CurationSettings())) is None


def test_what_a_coding_answer_quotes_stays_word_for_word():
    for candidate, answer in many(CODED):
        assert (
            "history of hypertension" in candidate.text
            or "h/o hypertension" in candidate.text.lower()
            or ("hypertension" in candidate.text)
        )
        assert "shortness of breath" in candidate.text
        assert answer.count("\n") == 1


def test_the_other_sex_goes_through_source_and_answer():
    swapped = [(c.text, a) for c, a in many(SEED) if " woman " in c.text]
    assert swapped
    for text, answer in swapped:
        assert answer == "A woman whose pressure is high; she returns."
        assert not re.search(r"\b(he|his|man)\b", f"{text} {answer}", re.I)


@pytest.mark.parametrize("said", ["prostate enlargement", "a wife who helps", "She, his sister, came too"])
def test_no_swap_where_it_would_tell_another_story(said):
    seed = dataclasses.replace(SEED, prompt=f"{SEED.prompt}\nAlso: {said}.")
    assert not [c for c, _ in many(seed) if " woman " in c.text]


def test_sections_are_all_there_in_another_order():
    plain = [c.text for c, _ in many(SEED) if sorted(c.text.split()) == sorted(NOTE.split())]
    assert plain
    assert all(text.startswith(("EXAMINATION", "PLAN", "HISTORY")) for text in plain)


def test_the_same_seeds_give_the_same():
    assert many(SEED) == many(SEED)


def test_thin_groups_come_first_then_weak_use_cases_then_small_ones():
    def one(name, task, sex, words=10):
        document = DeidentifiedDocument(
            f"d-{name}", f"p-{name}", "site-1", "note", "general", None, "text", "x", Labels(), sex=sex
        )
        prompt = "Q.\n\n" + "word " * words
        return document, Example(name, task, "train", f"p-{name}", (f"d-{name}",), "general", prompt, "a")

    pairs = [one("a", "big", "male"), one("b", "big", "male", 20), one("c", "small", "male"), one("f", "big", "female", 30)]  # fmt: skip
    documents, train = {d.document_ref: d for d, _ in pairs}, [e for _, e in pairs]
    thin = {"sex": {"female": {"warning": "thin"}, "male": {}}}

    def order(balance, scores):
        return "".join(e.example_id for e in ranked(train, documents, balance, scores, {}))

    assert order({}, {}) == "cabf"
    assert order(thin, {}) == "fcab"
    assert order({}, {"big": 0.2, "small": 0.6}) == "acbf"


def test_rows_name_their_seed_and_how_they_were_made(tmp_path):
    rows = [dataclasses.replace(SEED, example_id=f"s-{n}", patient_ref=f"p-{n}") for n in range(20)]

    def write(folder):
        write_examples(folder / EXAMPLES, rows)
        return {}

    curated = make_version(tmp_path, "curated", inputs={}, config=1, code="1", write=write)
    settings = SynthesisSettings(generator="none", variations=3)
    version = synthesize(
        tmp_path, curated, settings, CurationSettings(), lambda: pytest.fail("no model is needed")
    )
    made = read_examples(version.path / EXAMPLES)
    assert made
    assert {row.generator for row in made} == {"variations"}
    assert all(row.seeds and row.provenance == "synthetic" and row.split == "train" for row in made)
    assert RECIPE
    assert version.facts["accepted_by_task"] == {"summary": len(made)}
