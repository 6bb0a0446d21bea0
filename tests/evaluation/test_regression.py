from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from preceptor.errors import UsageError
from preceptor.evaluation.regression import frozen, read_set, regression, set_digest
from preceptor.settings import EvaluationSettings

CASE = {"task": "summary", "prompt": "Cough for three weeks.", "answer": "Cough for three weeks."}


def write(folder, *rows):
    path = folder / "stay.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def material(path, answers, known=(), train=(), remote=None):
    predictions = [SimpleNamespace(case=SimpleNamespace(example_id=n), primary=s) for n, s in known]
    return SimpleNamespace(
        settings=EvaluationSettings(regression_set=str(path)),
        models={"finetuned": SimpleNamespace(remote=remote)},
        by_arm={"finetuned": predictions},
        train=[SimpleNamespace(prompt=prompt) for prompt in train],
        ask=lambda role, questions: answers[: len(questions)],
    )


def test_each_case_must_reach_its_least_score(tmp_path):
    path = write(
        tmp_path,
        {**CASE, "least": 0.9},
        {**CASE, "prompt": "Another.", "least": 0.9},
        {"example_id": "t1", "least": 0.5},
        {"example_id": "t2", "least": 0.5},
        {"example_id": "gone", "least": 0.0},
    )
    answers = ["Cough for three weeks.", "Nothing of the kind"]
    facts = regression(material(path, answers, [("t1", 0.5), ("t2", 0.49)]))
    assert facts["failed"] == ["gone", "stay-00002", "t2"] and facts["missing"] == ["gone"]
    assert facts["gate"] == {"failed": 3, "cases": 5}


def test_a_model_at_a_provider_is_not_asked_what_nobody_approved(tmp_path):
    path = write(tmp_path, {**CASE, "least": 0.0}, {"example_id": "t1", "least": 0.5})
    material_ = material(path, [], [("t1", 0.5)], remote=object())
    material_.ask = lambda role, questions: [pytest.fail("asked") for _ in questions]
    assert regression(material_)["missing"] == ["stay-00001"]


def test_a_case_that_was_trained_on_proves_nothing(tmp_path):
    path = write(tmp_path, {**CASE, "least": 0.9})
    facts = regression(material(path, [CASE["answer"]], train=[CASE["prompt"]]))
    assert facts["failed"] == facts["seen_in_training"] == ["stay-00001"]


def test_what_is_right_now_is_frozen_and_a_set_read_back(tmp_path):
    rows = [
        {"example_id": name, "arm": arm, "primary": score}
        for name, arm, score in (
            ("better", "base", 0.2), ("better", "finetuned", 0.6), ("worse", "base", 0.7), ("worse", "finetuned", 0.6),
            ("nothing", "finetuned", 0.0), ("little", "finetuned", 0.03), ("other arm", "rag", 1.0),
        )
    ]  # fmt: skip
    lines = frozen(rows, 0.05)
    assert lines == [{"example_id": "better", "least": 0.55}, {"example_id": "little", "least": 0.0}]
    assert [(k.example_id, k.least, k.case) for k in read_set(write(tmp_path, *lines))] == [
        ("better", 0.55, None),
        ("little", 0.0, None),
    ]


def test_without_a_set_there_is_nothing_to_say():
    assert regression(material("", [])) is None


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({**CASE}, "`least`"),
        ({**CASE, "least": 2}, "`least`"),
        ({"least": 0.5}, "example_id alone"),
        ({**CASE, "least": 0.5, "secret": "x"}, "only fields"),
    ],
)
def test_a_wrong_line_is_named_and_not_quoted(tmp_path, row, said):
    with pytest.raises(UsageError, match=said) as error:
        read_set(write(tmp_path, row))
    assert "line 1" in str(error.value) and "Cough" not in str(error.value)


def test_another_content_is_another_digest(tmp_path):
    path = write(tmp_path, {**CASE, "least": 0.5})
    before = set_digest(str(path))
    write(tmp_path, {**CASE, "least": 0.6})
    assert set_digest(str(path)) != before
    with pytest.raises(UsageError, match="no regression set"):
        set_digest(str(tmp_path / "none"))
