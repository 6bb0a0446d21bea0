"""The commands: one document, tables for people, and errors that say what to do."""

from __future__ import annotations

import json

import pytest

from preceptor.cli import main
from preceptor.versions import make_version, write_atomic


@pytest.fixture
def call(tmp_path, capfd):
    def run(*arguments, code=0):
        with pytest.raises(SystemExit) as ended:
            main(["--home", str(tmp_path), *map(str, arguments)])
        said = capfd.readouterr()
        assert ended.value.code == code, said.err
        assert "Traceback" not in said.err
        return json.loads(said.out) if "--json" in arguments and code == 0 else said.out + said.err

    return run


@pytest.fixture
def evaluated(tmp_path, made_report, too_few):
    """A home with an evaluation, in which the tuned model is better, and a verdict of too few data on other data."""
    pairs = {("finetuned", "base"): (0.2, 0.12, 0.28, 0.001)}
    report = made_report({"base": 0.4, "finetuned": 0.6}, pairs)

    def version(root, stage, name, content, curated):
        def write(folder):
            write_atomic(folder / name, json.dumps(content))
            return content

        return make_version(root, stage, inputs={"curated": curated}, config={}, code="1", write=write)

    made = version(tmp_path / "reports", "evaluation", "report.json", report, "curated-1")
    version(tmp_path / "data", "sufficiency", "verdict.json", too_few, "curated-2")
    return made


def test_advise_reads_the_home(call, evaluated):
    found = call("advise", "--knowledge-changes", "yearly", "--volume", 5000, "--json")
    (choice,) = found["use_cases"]
    assert (choice["use_case"], choice["choice"], choice["sure"]) == ("summary", "fine-tuned", "shown")
    assert choice["arms"]["base"]["hours_a_month"] == 2.8  # two seconds an answer
    assert found["evidence"]["evaluation"] == evaluated.name
    assert any("curated-1, the verdict on sufficiency of curated-2" in said for said in choice["cautions"])
    said = call("advise")
    assert "summary: fine-tuned (shown by the evaluation)" in said and "What would change this" in said


def test_advise_in_an_empty_home_says_what_is_missing(call):
    found = call("advise", "--use-case", "summary", "--json")
    assert found["use_cases"][0]["sure"] == "no evidence"
    assert found["evidence"] == {"evaluation": None, "sufficiency": None}


def test_a_report_that_is_none_is_named(call, evaluated):
    (evaluated.path / "report.json").write_text("[]")
    assert "is no report of an evaluation" in call("advise", code=1)


def test_advise_on_providers(call):
    found = call("advise", "--provider", "--model", "llama-3.1-8b", "--volume", 100_000, "--json")
    assert found["model"] == "llama-3.1-8b-instruct" and found["workload"]["answers"] == 100_000
    kinds = {one["kind"] for one in found["offers"]}
    assert kinds == {"service", "rented", "owned"}
    assert all(one["control"] and one["deployment"] and one["source"] for one in found["offers"])
    said = call("advise", "--provider", "--model", "llama-3.1-8b", "--gpu", "l4")
    assert "The numbers behind it" in said and "not certain" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("advise", "--use-case", "nonsense"), "nothing is known of it here"),
        (("advise", "--gpu", "l4"), "--gpu is asked with --provider only"),
        (("advise", "--hours", "100"), "--hours is asked with --provider only"),
        (("advise", "--provider", "--knowledge-changes", "daily"), "are not asked with --provider"),
        (("advise", "--provider", "--model", "nobody"), "There is no base model"),
        (("advise", "--provider", "--gpu", "v100"), "is not known"),
        (("advise", "--knowledge-changes", "hourly"), "daily"),
        (("models", "recommend"), "Say what hardware is there"),
        (("models", "recommend", "--gpu", "l4", "--no-gpu"), "contradict each other"),
        (("models", "recommend", "--no-gpu", "--task", "nonsense"), "There is no use case 'nonsense'"),
        (("models", "recommend", "--gpu", "l4", "--languages", "deutsch"), "--languages"),
        (("models", "show", "nobody"), "preceptor models list"),
    ],
)
def test_wrong_usage_is_2_and_says_what_to_do(call, arguments, said):
    assert said in call(*arguments, code=2)


def test_recommend_ranks_and_says_why(call):
    found = call(
        "models", "recommend", "--task", "differential", "--gpu", "a100-80gb", "--examples", 800, "--json"
    )
    first = found["ranked"][0]
    assert first["name"] == "medgemma-27b-text-it" and first["in"] and first["why"]
    assert all(one["why_not"] for one in found["out"]) and found["changes"]
    said = call("models", "recommend", "--no-gpu", "--volume", 500, "--latency", 200)
    assert "is in:" in said and "Out:" in said and "What would change this" in said


def test_list_and_show_know_weights_and_services(call):
    kinds = {one["name"]: one["kind"] for one in call("models", "list", "--json")}
    assert (kinds["medgemma-4b-it"], kinds["gpt-4.1"]) == ("weights", "service")
    assert call("models", "show", "gpt-4.1", "--json")["providers"]["azure-openai"]["baa"] is True
    assert "clinical use" in call("models", "show", "medgemma-4b-it").lower()
    assert "languages: ?" in call("models", "show", "gpt-4.1")
