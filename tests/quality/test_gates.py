from __future__ import annotations

import json
import re

import pandas as pd
import pytest

from preceptor.errors import GateRefused
from preceptor.quality import check, require
from preceptor.quality.data_docs import index
from preceptor.quality.gate import SUITES

GOOD = {
    "example_id": "a-1",
    "task": "summary",
    "split": "train",
    "prompt_characters": 100,
    "answer_characters": 10,
    "documents": 1,
    "patient_splits": 1,
    "provenance": "clinical",
    "unknown_codes": 0,
    "test_overlap": 0,
}


def frame(**changes):
    return pd.DataFrame([GOOD, {**GOOD, "example_id": "a-2", **changes}])


def test_good_data_pass_and_may_be_used(tmp_path):
    assert check(tmp_path, "curated_examples", "v1", frame()).passed
    assert require(tmp_path, "curated_examples", "v1").rows == 2


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"example_id": "a-1"}, "example-once"),
        ({"split": "exam"}, "split-valid"),
        ({"patient_splits": 2}, "patient-in-one-split"),
        ({"prompt_characters": 0}, "prompt-has-text"),
        ({"answer_characters": 0}, "answer-has-text"),
        ({"documents": 0}, "names-its-documents"),
        ({"provenance": "synthetic"}, "clinical-only"),
    ],
)
def test_a_planted_fault_is_caught_by_its_rule_and_stops_who_comes_next(tmp_path, changes, rule):
    verdict = check(tmp_path, "curated_examples", "v1", frame(**changes))
    assert [r["rule"] for r in verdict.results if not r["passed"]] == [rule]
    with pytest.raises(GateRefused, match=rule):
        require(tmp_path, "curated_examples", "v1")


def test_a_verdict_holds_counts_and_never_values(tmp_path):
    check(tmp_path, "curated_examples", "v1", frame(split="Quackenbush"))
    stored = (tmp_path / "verdicts" / "curated_examples-v1.json").read_text()
    assert "Quackenbush" not in stored
    failed = [r for r in json.loads(stored)["results"] if not r["passed"]]
    assert [(r["rule"], r["unexpected"], r["rows"]) for r in failed] == [("split-valid", 1, 2)]


def test_a_version_that_was_never_judged_is_refused(tmp_path):
    with pytest.raises(GateRefused, match="gate-not-run"):
        require(tmp_path, "curated_examples", "v1")


def test_a_verdict_of_another_suite_does_not_count(tmp_path, monkeypatch):
    check(tmp_path, "curated_examples", "v1", frame())
    changed = tmp_path / "suites"
    changed.mkdir()
    suite = json.loads((SUITES / "curated_examples.json").read_text())
    suite["about"] = "changed"
    (changed / "curated_examples.json").write_text(json.dumps(suite))
    monkeypatch.setattr("preceptor.quality.gate.SUITES", changed)
    with pytest.raises(GateRefused, match="gate-not-run"):
        require(tmp_path, "curated_examples", "v1")


def test_no_synthetic_rows_pass_their_suite(tmp_path):
    columns = [
        "example_id",
        "provenance",
        "split",
        "generator",
        "seeds",
        "share_over_cap",
        "unknown_codes",
        "test_overlap",
        "suspected_identifiers",
    ]
    assert check(tmp_path, "synthetic_examples", "v1", pd.DataFrame(columns=columns)).passed


@pytest.mark.parametrize("path", sorted(SUITES.glob("*.json")), ids=lambda p: p.stem)
def test_every_expectation_has_a_rule_name_of_its_own(path):
    rules = [e["rule"] for e in json.loads(path.read_text())["expectations"]]
    assert len(rules) == len(set(rules)) > 0


def test_the_data_docs_show_every_verdict_without_values_or_calls_outside(tmp_path):
    docs = tmp_path / "docs"
    check(tmp_path, "curated_examples", "v1", frame(), docs)
    check(tmp_path, "curated_examples", "v2", frame(split="Quackenbush"), docs)
    pages = list((docs / "site").rglob("*.html"))
    text = {p.relative_to(docs).as_posix(): p.read_text() for p in pages}
    assert {"v1", "v2"} <= {part for name in text for part in name.split("/")}
    assert "v2" in index(docs).read_text()
    everything = [p.read_bytes() for p in docs.rglob("*") if p.suffix in (".html", ".json")]
    assert not any(b"Quackenbush" in content for content in everything)
    for name, page in text.items():
        assert not re.search(r"(?:src|href)=\"https?://(?!greatexpectations)|url\('https?:", page), name


@pytest.mark.parametrize(
    ("half", "left"),
    [
        ("store/expectations/.ge_store_backend_id", ""),
        ("store/expectations/curated_examples.json", '{"expectations": [{"type": "expect'),
        ("store/uncommitted/validations/.ge_store_backend_id", ""),
        ("site/index.html", "<html><bo"),
    ],
)
def test_what_a_full_disk_left_of_the_data_docs_is_made_anew(tmp_path, half, left):
    """The library writes in place, so that a kill or a full disk leaves half a file, which it cannot open."""
    docs = tmp_path / "docs"
    check(tmp_path, "curated_examples", "v1", frame(), docs)
    assert (docs / half).exists()
    (docs / half).write_text(left)
    assert check(tmp_path, "curated_examples", "v2", frame(), docs).passed
    assert len((docs / half).read_text()) > len(left)
    assert "v2" in index(docs).read_text()
