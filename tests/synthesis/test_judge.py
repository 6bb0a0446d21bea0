"""The second pass over what a model wrote."""

from __future__ import annotations

import dataclasses

import pytest

from preceptor.models import resolve
from preceptor.settings import Workspace
from preceptor.synthesis.checkpoint import Checkpoint
from preceptor.synthesis.judge import Judge, Told
from tests.synthesis.test_synthesis import REWRITTEN, SEED

ELSEWHERE = (
    "He fell from a ladder 2 days ago and his left knee is swollen and warm, he cannot bear weight on it, takes naproxen "
    "500 mg twice a day, and the radiograph of the joint shows no fracture."
)
SUMMARY = dataclasses.replace(
    SEED,
    task="summary",
    prompt=SEED.prompt.replace("Assign the codes.", "Summarise this note in one sentence."),
    answer="Three days of palpitations at a heart rate of 140 on metoprolol and apixaban, with clear lungs.",
)


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    return Judge(Checkpoint(resolve("smollm2-135m-instruct", Workspace(tmp_path_factory.mktemp("judge")))))


def test_a_rewrite_keeps_what_the_answer_rests_on_and_another_text_does_not(judge):
    assert judge.told(SUMMARY, REWRITTEN).verdict == "kept"
    assert judge.told(SUMMARY, ELSEWHERE).verdict == "lost"
    assert judge.told(SUMMARY, "").verdict == "lost"


def test_the_source_itself_tells_as_much_as_itself(judge):
    told = judge.told(SUMMARY, SUMMARY.source)
    assert told.text == pytest.approx(told.source, abs=1e-3) and told.source > 0.3


@pytest.mark.parametrize(
    ("source", "text", "verdict"),
    [(1.0, 0.6, "kept"), (1.0, 0.4, "lost"), (0.01, -1.0, "undecided"), (-0.5, -0.5, "undecided")],
)
def test_half_of_what_the_source_tells_is_the_line(source, text, verdict):
    assert Told(source, text).verdict == verdict
