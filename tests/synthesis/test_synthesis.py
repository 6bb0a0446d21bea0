from __future__ import annotations

import dataclasses

import pytest

from preceptor.curation.contamination import HeldOut
from preceptor.models import resolve
from preceptor.records import Example
from preceptor.settings import CurationSettings, SynthesisSettings, Workspace
from preceptor.synthesis.checkpoint import Checkpoint
from preceptor.synthesis.filters import Candidate, refusal
from preceptor.synthesis.generators import make_generator
from preceptor.synthesis.stage import synthesize
from preceptor.tables import EXAMPLES, read_examples, write_examples
from preceptor.versions import make_version

SOURCE = (
    "She has had palpitations for 3 days with a heart rate of 140 and no chest pain; she takes metoprolol 50 mg and "
    "apixaban 5 mg, her blood pressure is 128 over 76 and the lungs are clear."
)
REWRITTEN = (
    "For 3 days there have been palpitations, the heart rate being 140 without pain in the chest; metoprolol 50 mg and "
    "apixaban 5 mg are taken, blood pressure reads 128 over 76, lungs sound clear."
)
SEED = Example(
    example_id="s-1",
    task="coding_cardiology",
    split="train",
    patient_ref="p-1",
    document_refs=("d-1",),
    specialty="cardiology",
    prompt=f"Assign the codes.\n\n{SOURCE}",
    answer="R00.2: palpitations",
)
NOTHING = HeldOut([], [], CurationSettings())


def test_a_faithful_rewrite_is_accepted():
    assert refusal(Candidate(REWRITTEN, SOURCE, SEED), NOTHING) is None


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("Palpitations.", "too-short"),
        (SOURCE, "near-copy"),
        (REWRITTEN.replace("140", "160"), "numbers-invented"),
        (
            "There were palpitations and the heart ran at 140 without any pain in the chest, the lungs sounded "
            "clear and nothing else was found at all today in this person.",
            "numbers-lost",
        ),
        (REWRITTEN.replace("are taken", "are taken as Henderson said"), "names-invented"),
        (REWRITTEN.replace("palpitations", "fluttering"), "evidence-lost"),
        (REWRITTEN + " seen by Mr. Okonkwo-Hadžić", "phi-suspected"),
        (REWRITTEN + " <|im_end|>", "control-tokens"),
        (REWRITTEN + " write to someone@example.org", "identifier-shape"),
    ],
)
def test_each_filter_takes_what_breaks_it(text, rule):
    assert refusal(Candidate(text, SOURCE, SEED), NOTHING) == rule


def test_a_text_that_repeats_the_test_split_is_refused():
    test = HeldOut([REWRITTEN], [], CurationSettings())
    assert refusal(Candidate(REWRITTEN, SOURCE, SEED), test) == "test-overlap"


class Scribe:
    """A generator that says the same to everything."""

    name = "scribe"

    def generate(self, prompts, seed):
        return [REWRITTEN for _ in prompts]


def curated(root):
    rows = [dataclasses.replace(SEED, example_id=f"s-{n}", patient_ref=f"p-{n}") for n in range(8)]
    rows.append(
        dataclasses.replace(SEED, example_id="t-1", split="test", patient_ref="p-t", prompt="Q\n\nOther.")
    )

    def write(folder):
        write_examples(folder / EXAMPLES, rows)
        return {"by_task": {"coding_cardiology": {"train": 8, "validation": 0, "test": 1}}}

    return make_version(root, "curated", inputs={}, config=1, code="1", write=write)


def test_rows_are_marked_capped_and_in_the_training_split(tmp_path):
    settings = SynthesisSettings(
        generator="provider",
        provider="ours",
        candidates=6,
        max_share=0.2,
        judge=False,
    )
    version = synthesize(
        tmp_path,
        curated(tmp_path),
        settings,
        CurationSettings(),
        lambda: pytest.fail("no base model is needed"),
        provider=Scribe,
    )
    rows = read_examples(version.path / EXAMPLES)
    # One that always says the same gives one row: the others repeat it.
    assert [(r.provenance, r.split, r.seeds) for r in rows] == [("synthetic", "train", ("s-0",))]
    assert rows[0].generator == "scribe"
    assert rows[0].prompt_hash
    assert rows[0].answer == SEED.answer
    assert version.facts["refused"] == {"repeats-another": 5}
    assert not list((tmp_path / "synthetic").glob(".candidates*"))


def test_what_a_model_wrote_is_judged_by_the_base_model_and_counted(tmp_path):
    settings = SynthesisSettings(generator="provider", provider="ours", candidates=6)
    base = resolve("smollm2-135m-instruct", Workspace(tmp_path / "home"))
    version = synthesize(
        tmp_path, curated(tmp_path), settings, CurationSettings(), lambda: base, provider=Scribe
    )
    facts = version.facts
    lost = facts["judged"].get("lost", 0)
    assert facts["accepted"] == 1 and sum(facts["judged"].values()) == 1 + lost
    assert facts["refused"].get("lost-by-judge", 0) == lost
    assert version.manifest["inputs"]["judge"] == base.digest


def test_this_machines_model_writes_the_same_for_the_same_seed(tmp_path):
    base = resolve("tiny", Workspace(tmp_path))
    generator = make_generator(SynthesisSettings(max_new_tokens=8), lambda: Checkpoint(base), None)
    first = generator.generate(["Rewrite this.", "And this, which is longer."], seed=1)
    assert generator.generate(["Rewrite this.", "And this, which is longer."], seed=1) == first
    assert len(first) == 2
