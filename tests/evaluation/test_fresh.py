"""The fresh slice: which cases are in it, and what is said of the models on them."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace

import pytest

from preceptor.evaluation.evaluate import evaluate
from preceptor.evaluation.fresh import fresh_cases, fresh_slice
from preceptor.evaluation.report import template
from preceptor.records import DeidentifiedDocument, Labels
from preceptor.settings import EvaluationSettings
from preceptor.tables import DOCUMENTS, EXAMPLES, write_documents, write_examples
from preceptor.versions import make_version


@pytest.fixture
def curated(tmp_path, example_maker):
    """Two batches; the champion's examples were made from the first, the newest version from both."""

    def deidentified(batch, refs):
        documents = [
            DeidentifiedDocument(
                document_ref=ref, patient_ref=f"p-{ref}", batch=batch, note_type="note", specialty="general",
                encounter=None, format="text", text="A cough.", labels=Labels(), sex=None, age_band=None,
                author_role=None, year=None,
            )
            for ref in refs
        ]  # fmt: skip

        def write(folder):
            write_documents(folder / DOCUMENTS, documents)
            return {}

        return make_version(tmp_path, f"deid-{batch}", inputs={}, config={}, code="1", write=write)

    first, second = deidentified("b1", ["a1", "a2"]), deidentified("b2", ["b1", "b2", "b3", "b4"])

    def examples(sources, rows):
        def write(folder):
            made = [example_maker(n, split, "summary") for n, (split, _) in enumerate(rows)]
            write_examples(
                folder / EXAMPLES,
                [dataclasses.replace(e, document_refs=refs) for e, (_, refs) in zip(made, rows, strict=True)],
            )
            return {}

        inputs = {source.stage: source.name for source in sources}
        return make_version(tmp_path, "curated", inputs=inputs, config={}, code="1", write=write)

    old = examples([first], [("train", ("a1",)), ("test", ("a2",))])
    rows = [
        ("train", ("b1",)), ("test", ("a2",)), ("validation", ("b2",)), ("test", ("b3",)),
        ("validation", ("a1", "b4")), ("validation", ("b4",)),
    ]  # fmt: skip
    return tmp_path, old, examples([first, second], rows)


def test_only_held_out_cases_whose_documents_all_came_later_are_fresh_test_cases_first(curated):
    data, old, new = curated
    found = [e.document_refs for e in fresh_cases(data, new, old.name, 10)]
    assert found[0] == ("b3",) and sorted(found) == [("b2",), ("b3",), ("b4",)]
    assert [e.document_refs for e in fresh_cases(data, new, old.name, 1)] == [("b3",)]
    assert fresh_cases(data, new, old.name, 0) == []


def test_nothing_is_fresh_for_who_learned_from_all_or_from_what_is_not_known(curated):
    data, _, new = curated
    assert fresh_cases(data, new, new.name, 10) == []
    assert fresh_cases(data, new, None, 10) == []
    assert fresh_cases(data, new, "0123456789ab-01234567", 10) == []


def material(cases, answers, **more):
    return SimpleNamespace(
        fresh=cases,
        models=dict.fromkeys(answers),
        settings=EvaluationSettings(bootstrap_samples=200),
        ask=lambda role, asked: [answers[role]] * len(asked),
        **more,
    )


def test_the_difference_to_the_champion_is_told_and_may_be_named_by_a_gate(example_maker):
    cases = [example_maker(n, "validation", "summary") for n in range(4)]
    right = cases[0].answer
    facts = fresh_slice(material(cases, {"base": "", "finetuned": right, "champion": ""}))
    assert facts["arms"]["finetuned"]["mean"] == 1 and facts["arms"]["champion"]["tasks"] == {"summary": 0}
    assert facts["gate"] == {"cases": 4, "gain_over_champion": 1, "gain_over_champion_low": 1}
    assert (facts["by_split"], facts["patients"]) == ({"validation": 4}, 4)
    same = fresh_slice(material(cases, {"finetuned": right, "champion": right}))
    assert (same["gain"]["mean"], same["gain"]["low"]) == (0, 0) and "base" not in same["arms"]
    page = template("sections/fresh_slice.html.j2").render(facts=facts, report={})
    assert "▲ +100.0 points" in page and "4 cases of 4 patients" in page
    assert "neither a gain nor a loss" in template("sections/fresh_slice.html.j2").render(
        facts=same, report={}
    )


def test_without_fresh_cases_or_a_champion_there_is_nothing_to_say(example_maker):
    cases = [example_maker(0, "validation", "summary")]
    assert fresh_slice(material([], {"finetuned": "", "champion": ""})) is None
    assert fresh_slice(material(cases, {"base": "", "finetuned": ""})) is None


def test_the_report_has_the_section(base, tuned, dataset, example_maker, tmp_path):
    settings = EvaluationSettings(
        arms=("base", "finetuned", "champion"), max_cases=2, max_new_tokens=4, bootstrap_samples=100
    )
    models = {"base": base, "finetuned": tuned, "champion": base}
    fresh = [example_maker(n, "validation", "summary") for n in range(2)]
    evaluate(dataset, models, settings, tmp_path / "cache", tmp_path / "out", fresh=fresh)
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["probes"]["fresh_slice"]["cases"] == 2
    assert "On documents that came after the model in use" in (tmp_path / "out" / "report.html").read_text()
    assert "BNP 1,800" not in json.dumps(report["probes"]["fresh_slice"])  # the facts are green
