"""`preceptor evaluate` as a user runs it."""

from __future__ import annotations

import json

import pytest

from preceptor.cli import main
from preceptor.cli.evaluate import read_cases
from preceptor.errors import UsageError


@pytest.fixture
def home(tmp_path, base):
    config = tmp_path / "config.yaml"
    config.write_text(
        f"base_model: 'path:{base.path}'\nevaluation: {{max_new_tokens: 6, bootstrap_samples: 100}}\n"
    )
    return ["--home", str(tmp_path / "home"), "--config", str(config), "evaluate"]


@pytest.fixture
def cases(tmp_path):
    path = tmp_path / "cases.jsonl"
    rows = [
        {
            "task": "summary",
            "prompt": f"Summarise. Cough for {n} weeks.",
            "answer": "Cough.",
            "patient_ref": f"p{n}",
        }
        for n in range(3)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def run(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    out = capsys.readouterr()
    return ended.value.code, out.out, out.err


def test_an_adapter_folder_against_the_base_on_given_cases(home, cases, tuned, capsys):
    code, out, err = run([*home, "--cases", cases, "--model", tuned.adapter, "--json"], capsys)
    assert code == 0, err
    found = json.loads(out)
    assert found["n_cases"] == 3 and set(found["headline"]) == {"base", "finetuned"}
    assert "finetuned_vs_base" in found["comparisons"]
    with open(found["report"], encoding="utf-8") as page:
        assert "<html" in page.read()
    again = json.loads(run([*home, "--cases", cases, "--model", tuned.adapter, "--json"], capsys)[1])
    assert again["version"] == found["version"]


def test_people_get_a_table_and_the_place_of_the_report(home, cases, capsys):
    code, out, _ = run([*home, "--cases", cases, "--arm", "base"], capsys)
    assert code == 0 and "base" in out and "report.html" in out and "3 cases of 3 patients" in out


def test_cases_of_a_use_case_of_ones_own_are_taken_if_the_settings_name_it(tmp_path, cases):
    cases.write_text(cases.read_text().replace('"summary"', '"section_note"'))
    with pytest.raises(UsageError, match="line 1: 'task' is none of"):
        read_cases(cases)
    assert {case.task for case in read_cases(cases, ("section_note",))} == {"section_note"}


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("{not json SECRET", "line 2: this is not JSON"),
        ('{"task": "summary", "prompt": "SECRET"}', "line 2: the text 'answer' is missing"),
        ('{"task": "SECRET", "prompt": "x", "answer": "y"}', "line 2: 'task' is none of"),
        ('{"task": "summary", "prompt": "x", "answer": "y", "SECRET": 1}', "line 2: only these keys"),
        ('["SECRET"]', "line 2: a JSON object"),
    ],
)
def test_a_wrong_case_is_named_by_line_and_never_shown(home, cases, capsys, line, rule):
    first = cases.read_text().splitlines()[0]
    cases.write_text(f"{first}\n{line}\n")
    code, out, err = run([*home, "--cases", cases], capsys)
    assert code == 2 and rule in err and "SECRET" not in err + out


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        ([], "no data set to take cases from"),
        (["--model", "tiny", "--model", "smollm2-135m-instruct"], "one base model and one fine-tuned"),
    ],
)
def test_wrong_usage_says_what_to_do(home, capsys, arguments, rule):
    code, _, err = run([*home, *arguments], capsys)
    assert code == 2 and rule in err


def test_a_reference_that_names_nothing_is_wrong_usage(home, cases, capsys):
    code, _, err = run([*home, "--cases", cases, "--model", "preceptor/7"], capsys)
    assert code == 2 and "preceptor/7" in err
