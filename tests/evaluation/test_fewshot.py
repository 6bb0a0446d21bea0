"""The best prompt is found on the validation split, by score, and never with a test case."""

from __future__ import annotations

from dataclasses import replace

import pytest

from preceptor.errors import PreceptorError
from preceptor.evaluation.fewshot import NEAREST, Prompts, Recipe, choose, draw
from preceptor.evaluation.retrieval import usable
from preceptor.settings import EvaluationSettings

SETTINGS = EvaluationSettings(fewshot_examples=2, fewshot_cases=3, fewshot_candidates=20)


@pytest.fixture(scope="module")
def train(example_maker):
    return [example_maker(n, "train", "summary") for n in range(6)]


@pytest.fixture(scope="module")
def validation(example_maker):
    return [example_maker(n, "validation", "summary") for n in range(5)]


def test_the_candidate_whose_answers_score_best_is_chosen(train, validation):
    def ask(asked):  # right only where two nearest examples are shown
        near = Prompts(train, "summary", SETTINGS)
        wanted = {near.question(case, Recipe(2, NEAREST)).examples for case in validation}
        return [validation[0].answer if q.examples in wanted else "nothing" for q in asked]

    choice = choose(train, validation, ["summary"], SETTINGS, ask)
    assert choice.recipes["summary"] == Recipe(2, NEAREST)
    facts = choice.facts["tasks"]["summary"]
    assert facts["chosen"] == "2 nearest" and len(facts["cases"]) == 3
    assert [c["name"] for c in facts["candidates"]] == [
        "no examples", "1 drawn (1)", "1 drawn (2)", "1 nearest", "2 drawn (1)", "2 drawn (2)", "2 nearest"]  # fmt: skip
    assert max(facts["candidates"], key=lambda c: c["score"])["name"] == "2 nearest"


def test_of_equals_the_one_that_shows_least(train, validation):
    choice = choose(train, validation, ["summary"], SETTINGS, lambda asked: ["same"] * len(asked))
    assert choice.recipes["summary"].shots == 0


def test_another_wording_is_tried_and_asked_of_examples_too(train, validation):
    settings = SETTINGS.model_copy(update={"fewshot_instructions": {"summary": ("In one line:",)}})
    prompts = Prompts(train, "summary", settings)
    asked = prompts.question(validation[0], Recipe(1, draw(0), 1))
    assert asked.prompt.startswith("In one line:\n\nVisit number 0")
    assert asked.examples[0][0].startswith("In one line:\n\nVisit")
    assert len(prompts.candidates()) == 14


def test_without_validation_cases_it_is_drawn_by_the_seed_and_said(train):
    choice = choose(train, [], ["summary"], SETTINGS, lambda _: pytest.fail("nothing to ask"))
    assert choice.recipes["summary"] == Recipe(2, draw(0))
    assert choice.facts["tasks"]["summary"]["why"].startswith("drawn by the seed")


def test_a_validation_case_that_touches_a_test_case_is_refused(validation, example_maker):
    case = example_maker(0, "test", "summary", validation[0].patient_ref)
    with pytest.raises(PreceptorError, match="its patient is in a case"):
        usable(validation, [case], "validation")
    with pytest.raises(PreceptorError, match="split test"):
        usable([replace(case, patient_ref="x", example_id="y", document_refs=())], validation, "validation")
