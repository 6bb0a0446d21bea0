"""The whole evaluation on a tiny model: same cases for every arm, nothing from the test split shown, facts that add up."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from preceptor.errors import PreceptorError, UsageError
from preceptor.evaluation.arms import ARMS, questions
from preceptor.evaluation.evaluate import evaluate
from preceptor.evaluation.retrieval import fewshot_examples, usable
from preceptor.evaluation.search import CaseSearch
from preceptor.records import Example
from preceptor.settings import ARMS as NAMED_ARMS
from preceptor.settings import EvaluationSettings
from preceptor.tables import EXAMPLES, read_examples, write_examples

SETTINGS = EvaluationSettings(
    batch_size=8, max_new_tokens=12, max_prompt_tokens=900, bootstrap_samples=200, rag_documents=1,
    robustness={"cases": 0}, safety={"cases": 0}, counterfactuals={"cases": 0},
)  # fmt: skip


@pytest.fixture(scope="module")
def finished(base, tuned, dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluated")
    ticks: list[tuple[int, int]] = []
    facts = evaluate(
        dataset, {"base": base, "finetuned": tuned}, SETTINGS, folder / "cache", folder / "out",
        lambda done, total: ticks.append((done, total)),
    )  # fmt: skip
    return folder, facts, ticks


def test_arms_are_those_of_the_settings():
    assert tuple(ARMS) == NAMED_ARMS


def test_every_arm_with_a_model_answers_the_same_test_cases(finished, dataset):
    folder, facts, ticks = finished
    rows = pq.read_table(folder / "out" / "predictions.parquet").to_pylist()
    tested = sorted(e.example_id for e in read_examples(dataset / EXAMPLES) if e.split == "test")
    arms = {row["arm"] for row in rows}
    assert arms == {"base", "fewshot", "rag", "finetuned", "finetuned+rag"}
    for arm in arms:
        assert sorted(row["example_id"] for row in rows if row["arm"] == arm) == tested
    assert [s["arm"] for s in facts["skipped"]] == ["champion"]
    choice = json.loads((folder / "out" / "report.json").read_text())["probes"]["fewshot_choice"]["tasks"]
    tried = sum(len(task["candidates"]) * len(task["cases"]) for task in choice.values())
    whole = tried + 5 * len(tested)
    assert tried and ticks[-1] == (whole, whole) and ticks == sorted(ticks)
    assert {total for _, total in ticks} == {whole}


def test_the_report_holds_what_gates_and_cards_read(finished):
    folder, facts, _ = finished
    report = json.loads((folder / "out" / "report.json").read_text())
    assert report["n_cases"] == 12 and report["dataset"] == "abc-def"
    against_base = report["comparisons"]["finetuned_vs_base"]
    assert {"difference", "low", "high", "p_holm", "per_task"} <= set(against_base)
    assert set(against_base["per_task"]) == set(report["cases_by_task"])
    assert against_base["low"] <= against_base["difference"] <= against_base["high"]
    for key, value in facts.items():
        assert (report["verdict"]["headline"] if key == "verdict" else report[key]) == value


def test_the_figures_follow_from_the_predictions(finished):
    folder, _, _ = finished
    report = json.loads((folder / "out" / "report.json").read_text())
    frame = pq.read_table(folder / "out" / "predictions.parquet").to_pandas()
    per_task = frame.groupby(["arm", "task"])["primary"].mean().groupby("arm").mean()
    for arm, facts in report["arms"].items():
        assert facts["headline"]["mean"] == pytest.approx(per_task[arm])
    difference = per_task["finetuned"] - per_task["base"]
    assert report["comparisons"]["finetuned_vs_base"]["difference"] == pytest.approx(difference)
    assert sum(facts["speed"]["new_tokens"] for facts in report["arms"].values()) == frame["new_tokens"].sum()


def test_a_second_run_answers_nothing_and_finds_the_same(finished, base, tuned, dataset, monkeypatch):
    folder, facts, _ = finished
    monkeypatch.setattr("preceptor.evaluation.generation.load_model", lambda *_: pytest.fail("loaded again"))
    again = evaluate(
        dataset, {"base": base, "finetuned": tuned}, SETTINGS, folder / "cache", folder / "again"
    )
    assert again == facts


def test_a_champion_equal_to_the_candidate_is_no_different_and_costs_nothing(
    finished, tuned, base, dataset, monkeypatch
):
    folder, _, _ = finished
    monkeypatch.setattr("preceptor.evaluation.generation.load_model", lambda *_: pytest.fail("loaded again"))
    models = {"base": base, "finetuned": tuned, "champion": replace(tuned, name="champion")}
    facts = evaluate(dataset, models, SETTINGS, folder / "cache", folder / "champion")
    assert facts["comparisons"]["finetuned_vs_champion"]["difference"] == 0.0 and not facts["skipped"]


def test_the_page_is_whole_by_itself_and_escapes_what_models_write(finished):
    folder, _, _ = finished
    page = (folder / "out" / "report.html").read_text()
    assert not re.search(r'(?:src|href)\s*=(?!"#)|@import|url\(|<script', page)
    assert page.count("<svg") == 2 and "prefers-color-scheme: dark" in page and "@media print" in page
    assert "What was not measured" in page and "No clinician judged" in page


def test_what_a_model_or_document_says_cannot_become_markup(base, tmp_path, example_maker):
    hostile = "<script>alert(1)</script>"
    case = replace(
        example_maker(1, "test", "summary"), prompt=f"Summarise. {hostile}", answer=hostile, specialty=hostile
    )
    settings = SETTINGS.model_copy(update={"arms": ("base",)})
    evaluate(None, {"base": base}, settings, tmp_path / "cache", tmp_path / "out", cases=[case])
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<script" not in page and page.count("&lt;script&gt;") == 4


def test_fewer_cases_on_demand_and_only_named_arms(base, dataset, tmp_path):
    settings = SETTINGS.model_copy(update={"max_cases": 5, "arms": ("base",)})
    facts = evaluate(dataset, {"base": base}, settings, tmp_path / "cache", tmp_path / "out")
    assert facts["n_cases"] == 5 and list(facts["headline"]) == ["base"] and facts["comparisons"] == {}
    assert "No fine-tuned model" in facts["verdict"]


def test_no_arm_with_a_model_is_wrong_usage(base, dataset, tmp_path):
    settings = SETTINGS.model_copy(update={"arms": ("finetuned",)})
    with pytest.raises(UsageError, match="no fine-tuned model"):
        evaluate(dataset, {"base": base}, settings, tmp_path / "cache", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_data_set_without_test_cases_says_what_to_do(base, tmp_path, example_maker):
    write_examples(tmp_path / EXAMPLES, [example_maker(1, "train", "summary")])
    with pytest.raises(PreceptorError, match="test_share"):
        evaluate(tmp_path, {"base": base}, SETTINGS, tmp_path / "cache", tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"split": "test"}, "split test"),
        ({"split": "validation"}, "split validation"),
        ({"patient_ref": "patient-test-0"}, "its patient"),
        ({"document_refs": ("document-test-summary-0",)}, "its document"),
        ({"example_id": "test-summary-0"}, "itself a case"),
    ],
)
def test_nothing_of_a_case_is_ever_shown_to_a_model(example_maker, change, rule):
    case = example_maker(0, "test", "summary")
    with pytest.raises(PreceptorError, match=rule):
        usable([replace(example_maker(1, "train", "summary"), **change)], [case])


def test_shown_examples_are_clinical_training_examples_of_the_same_task(dataset, example_maker):
    examples = read_examples(dataset / EXAMPLES)
    cases = [e for e in examples if e.split == "test"]
    made_up = example_maker(9, "train", "summary", provenance="synthetic")
    train = usable([e for e in examples if e.split == "train"] + [made_up], cases)
    assert made_up not in train
    known = {(e.prompt, e.answer): e for e in train}
    for case, asked in zip(cases, questions("fewshot", cases, train, SETTINGS), strict=True):
        assert len(asked.examples) == SETTINGS.fewshot_examples and not asked.retrieved
        assert {known[shown].task for shown in asked.examples} == {case.task}
    assert fewshot_examples(train, "summary", 2, 1) == fewshot_examples(train, "summary", 2, 1)


def test_retrieval_finds_the_nearest_case_and_leaves_the_instruction_out():
    def example(name: str, text: str) -> Example:
        return Example(
            name, "summary", "train", name, (name,), "x", f"Summarise the note.\n\n{text}", f"answer {name}"
        )

    index = CaseSearch(
        [
            example("a", "Knee pain after a fall."),
            example("b", "Chest pain and dyspnoea."),
            example("c", "Low mood."),
        ]
    )
    case = example("case", "Dyspnoea at night, chest tightness.")
    (found,) = index.nearest(case, 1)
    assert found.example_id == "b" and "Summarise" not in index.text(found)
    assert index.nearest(replace(case, prompt="Summarise the note.\n\nzzz"), 2, "bm25") == []
    assert index.nearest(replace(case, patient_ref="b"), 1)[0].example_id != "b", (
        "never the case's own patient"
    )
    assert CaseSearch([]).nearest(case, 2) == []


def test_a_task_without_examples_is_noted(base, tmp_path, example_maker):
    write_examples(
        tmp_path / EXAMPLES, [example_maker(1, "train", "summary"), example_maker(2, "test", "differential")]
    )
    settings = SETTINGS.model_copy(update={"arms": ("base", "fewshot")})
    evaluate(tmp_path, {"base": base}, settings, tmp_path / "cache", tmp_path / "out")
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert len(report["notes"]) == 1 and report["notes"][0].startswith("differential")
    assert report["comparisons"]["fewshot_vs_base"]["difference"] == 0.0


def test_cases_by_themselves_are_answered_by_the_arms_that_show_nothing(base, tmp_path, example_maker):
    settings = SETTINGS.model_copy(update={"arms": ("base", "fewshot", "rag")})
    cases = [example_maker(1, "test", "summary")]
    facts = evaluate(None, {"base": base}, settings, tmp_path / "cache", tmp_path / "out", cases=cases)
    assert list(facts["headline"]) == ["base"] and [s["arm"] for s in facts["skipped"]] == ["fewshot", "rag"]
