"""Prompt, RAG or fine-tuning, by reports of each kind."""

from __future__ import annotations

from dataclasses import fields

import pytest

from preceptor.advice.approach import choose
from preceptor.advice.differences import difference
from preceptor.advice.evidence import Evidence
from preceptor.evaluation.facts import Prediction, arm_facts, case_facts, comparisons
from preceptor.evaluation.metrics import primary
from preceptor.records import Example
from preceptor.settings import EvaluationSettings

MEANS = {"base": 0.4, "fewshot": 0.42, "rag": 0.45, "finetuned": 0.6, "finetuned+rag": 0.61}
OPEN = (0.02, -0.04, 0.08, 0.6)
CLEAR = {  # the tuned model is better than all that is not tuned; nothing else is shown
    ("finetuned", "base"): (0.2, 0.12, 0.28, 0.001),
    ("finetuned", "fewshot"): (0.18, 0.1, 0.26, 0.001),
    ("finetuned", "rag"): (0.15, 0.07, 0.23, 0.001),
    ("finetuned", "finetuned+rag"): (-0.01, -0.05, 0.03, 0.7),
    ("fewshot", "base"): OPEN,
    ("rag", "base"): (0.05, -0.01, 0.11, 0.1),
    ("finetuned+rag", "base"): (0.21, 0.13, 0.29, 0.001),
}


@pytest.fixture
def decided(made_report, enough):
    def decide(pairs=CLEAR, means=MEANS, changes="never", volume=None, sufficiency=enough, **report):
        found = Evidence(made_report(means, pairs, **report), sufficiency)
        return choose("summary", found, changes, volume)

    return decide


def test_a_tuned_model_that_is_clearly_better_is_chosen_with_its_numbers(decided):
    found = decided()
    assert (found.kind, found.sure) == ("fine-tuned", "shown")
    assert any(
        "+20.0 points of 100 (95 % interval +12.0 to +28.0, 60 cases): shown to be better" in w
        for w in found.why
    )
    assert found.arms["finetuned"]["mean"] == 60 and found.arms["rag"]["prompt_tokens"] == 1500


def test_where_nothing_is_shown_the_prompt_stays_and_it_is_told_how_many_cases_would_show_it(decided):
    pairs = CLEAR | {("finetuned", "base"): (0.03, -0.03, 0.09, 0.3)}
    found = decided(pairs)
    assert (found.kind, found.sure) == ("prompt", "not shown")
    assert any("the least to keep" in said for said in found.why)
    # 6 points of interval to either side against 3 of difference: four times as many cases.
    assert any(said.startswith("About 240 cases") for said in found.changes)


def test_a_tuned_model_that_is_worse_is_not_chosen(decided):
    found = decided(CLEAR | {("finetuned", "base"): (-0.1, -0.16, -0.04, 0.002)})
    assert found.arm == "base"
    assert any("shown to be worse" in said for said in found.why)


def test_retrieval_on_top_is_chosen_where_it_adds(decided):
    found = decided(CLEAR | {("finetuned", "finetuned+rag"): (-0.06, -0.1, -0.02, 0.01)})
    assert (found.kind, found.sure) == ("fine-tuned + RAG", "shown")


def test_rag_that_is_better_is_chosen_where_tuning_adds_nothing(decided):
    pairs = CLEAR | {("rag", "base"): (0.15, 0.08, 0.22, 0.001), ("finetuned", "rag"): OPEN}
    found = decided(pairs, changes="daily")
    assert (found.kind, found.sure) == ("RAG", "shown")


def test_what_changes_daily_is_looked_up_even_if_the_tuned_model_is_better(decided):
    found = decided(changes="daily")
    assert (found.kind, found.sure) == ("fine-tuned + RAG", "not shown")
    assert any("has to be looked up" in said for said in found.why)
    assert any("does not measure whether answers are up to date" in said for said in found.cautions)


def test_what_changes_daily_is_looked_up_without_tuning_where_tuning_is_not_shown(decided):
    pairs = dict.fromkeys(CLEAR, OPEN) | {("rag", "base"): (-0.1, -0.15, -0.05, 0.01)}
    found = decided(pairs, changes="daily")
    assert (found.kind, found.sure) == ("RAG", "not shown")
    assert any("mend that first" in said for said in found.cautions)


def test_few_cases_show_nothing_whatever_the_interval_says(decided):
    found = decided(cases=8)
    assert (found.kind, found.sure) == ("prompt", "not shown")
    assert any("8 cases of this use case show nothing" in said for said in found.cautions)


def test_an_interval_of_one_use_case_alone_is_not_corrected_and_shows_nothing(decided):
    found = decided(CLEAR | {("finetuned", "base"): (0.2, 0.02, 0.38, 0.3)}, others=60)
    assert found.sure == "not shown"


def test_too_few_data_are_told_with_what_would_change(decided, too_few):
    pairs = CLEAR | {("finetuned", "base"): OPEN}
    found = decided(pairs, sufficiency=too_few)
    assert found.arm == "base"
    assert any("3 different examples: too few" in said for said in found.changes)
    tuned = decided(sufficiency=too_few)
    assert tuned.arm == "finetuned" and any("count as too few" in said for said in tuned.cautions)


SLOW = {"rag": 3.0, "finetuned": 2.0, "base": 2.0}
EQUAL = CLEAR | {("rag", "base"): (0.15, 0.08, 0.22, 0.001), ("finetuned", "rag"): OPEN}


def test_of_two_that_are_not_shown_to_differ_volume_decides(decided):
    # One second an answer: 100,000 of them are 27.8 hours, 10,000 are 2.8.
    much = decided(EQUAL, volume=100_000, seconds=SLOW)
    assert (much.kind, much.sure) == ("fine-tuned", "not shown")
    assert any("for the 28 hours a month" in said for said in much.why)
    little = decided(EQUAL, volume=10_000, seconds=SLOW)
    assert little.kind == "RAG"
    assert any("saves 2.8 hours" in said for said in little.changes)
    assert decided(EQUAL, seconds=SLOW).kind == "RAG"


def test_few_patients_are_told(decided):
    assert any("only 5 patients" in said for said in decided(patients=5).cautions)


def test_a_report_without_arms_to_compare_is_no_evidence(made_report, enough):
    found = choose("summary", Evidence(made_report({"finetuned": 0.6}, {}), enough), None, None)
    assert found.sure == "no evidence"
    assert any("nothing can be compared" in said for said in found.why)


def test_tuned_arms_alone_do_not_show_that_tuning_is_needed(made_report):
    pairs = {("finetuned", "finetuned+rag"): (0.0, -0.04, 0.04, 0.9)}
    found = choose(
        "summary", Evidence(made_report({"finetuned": 0.6, "finetuned+rag": 0.6}, pairs)), None, None
    )
    assert (found.arm, found.sure) == ("finetuned", "not shown")
    assert any("whether tuning is needed is not known" in said for said in found.why)


@pytest.mark.parametrize(
    ("changes", "arm"), [("daily", "rag"), ("monthly", "rag"), ("yearly", "fewshot"), (None, "fewshot")]
)
def test_without_an_evaluation_it_says_so_and_begins_with_what_is_least(changes, arm, enough, too_few):
    found = choose("summary", Evidence(None, enough), changes, None)
    assert (found.arm, found.sure) == (arm, "no evidence")
    assert any("evaluation" in said for said in found.missing)
    assert any("120 different examples" in said for said in found.why)
    few = choose("summary", Evidence(None, too_few), changes, None)
    assert any("too few to tune with" in said for said in few.why)


def test_without_anything_what_is_missing_is_all_there_is():
    found = choose("summary", Evidence(), None, 500)
    assert found.sure == "no evidence" and len(found.missing) == 3


def test_a_difference_is_the_same_from_either_side(made_report):
    report = made_report(MEANS, CLEAR)
    one, other = (
        difference(report, "summary", "finetuned", "rag"),
        difference(report, "summary", "rag", "finetuned"),
    )
    assert (one.points, one.low, one.found) == (-other.points, -other.high, "better")
    assert other.found == "worse"
    assert difference(report, "summary", "rag", "fewshot") is None


def test_a_report_of_the_evaluation_itself_is_understood(enough):
    settings = EvaluationSettings(bootstrap_samples=200)

    def answered(arm, gain):
        return [
            Prediction(
                case=Example(
                    **{field.name: "" for field in fields(Example)}
                    | {"example_id": f"c{n}", "task": "summary", "patient_ref": f"p{n}", "split": "test"}
                ),
                arm=arm,
                answer="x",
                prompt_tokens=700,
                new_tokens=100,
                finished=True,
                prompt_cut=False,
                context_cut=False,
                seconds=2.0,
                scores={primary("summary"): 0.3 + gain + 0.01 * (n % 7)},
            )
            for n in range(30)
        ]

    by_arm = {"base": answered("base", 0.0), "finetuned": answered("finetuned", 0.2)}
    report = {
        **case_facts([row.case for row in by_arm["base"]]),
        "arms": {arm: arm_facts(rows, settings) for arm, rows in by_arm.items()},
        "comparisons": comparisons(by_arm, settings),
    }
    found = choose("summary", Evidence(report, enough), "yearly", 1000)
    assert (found.kind, found.sure) == ("fine-tuned", "shown")
    assert found.differences[0].points == pytest.approx(20)
