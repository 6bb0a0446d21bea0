"""The commands as a person or a script gives them."""

from __future__ import annotations

import io
import json
import sys

import pytest
import yaml

from preceptor.cli import main

from .conftest import KEY, MARK, PASSWORD, make_settings, provider_settings


@pytest.fixture
def call(workspace, stand_in, tmp_path, monkeypatch, capfd):
    """Call a command; returns its JSON, or all it said."""
    told = make_settings(stand_in.port)
    config = tmp_path / "config.yaml"
    wanted = {"base_model": told.base_model, "providers": {"ours": provider_settings(stand_in.port)}}
    config.write_text(yaml.safe_dump(wanted))

    def run(*arguments, code=0, password=None):
        if password:
            monkeypatch.setattr(sys, "stdin", io.StringIO(password + "\n"))
        with pytest.raises(SystemExit) as ended:
            main(["--home", str(workspace.home), "--config", str(config), *arguments])
        said = capfd.readouterr()
        assert ended.value.code == code, said.err
        assert MARK not in said.out + said.err and KEY not in said.out + said.err
        return json.loads(said.out) if "--json" in arguments and said.out else said.out + said.err

    return run


def test_from_the_estimate_to_the_model(call, stand_in):
    estimate = call("train", "--provider", "ours", "--estimate", "--json")
    assert estimate["files"]["training"]["examples"] == 12 and estimate["test_cases"] == 4
    assert estimate["estimated_cost"] == pytest.approx(estimate["estimated_tokens"] * 3 / 1e6, abs=1e-4)
    assert [refusal["rule"] for refusal in estimate["refused"]] == ["not-approved"]
    assert "Not yet: Nothing was sent" in call("train", "--provider", "ours", "--estimate")
    (listed,) = call("providers", "list", "--json")
    assert listed["refused"] == [] and listed["approvals"] == [] and "key" not in json.dumps(listed)

    refused = call("train", "--provider", "ours", code=3)
    assert "rule not-approved" in refused and stand_in.requests == []
    signs = ("providers", "approve", "ours", "--password-stdin", "--reason", "reviewed", "--json")
    assert "only privacy may" in call(*signs, "--as", "ana", code=3, password=PASSWORD)
    approved = call(*signs, "--as", "pia", password=PASSWORD)
    assert approved["by"] == "pia" and approved["estimated_cost"] == estimate["estimated_cost"]

    trained = call("train", "--provider", "ours", "--json")
    assert trained["trained_tokens"] > 0 and trained["cost"] > 0 and trained["run_id"]
    again = call("train", "--provider", "ours", "--json")
    assert again["reused"] and again["version"] == trained["version"]
    (job,) = call("providers", "jobs", "--json")
    assert (job["status"], job["cost"], job["left_there"]) == ("succeeded", trained["cost"], {})
    assert stand_in.count("POST fine_tuning/jobs") == 1
    assert json.loads((stand_in.folder / "book.json").read_text())["files"] == {}


def test_a_job_is_cancelled_by_its_name(call, stand_in):
    call(
        "providers", "approve", "ours", "--as", "pia", "--password-stdin", "--reason", "x", password=PASSWORD
    )  # fmt: skip
    stand_in.control(fail_at=99, steps=10_000, refuse={"status": 500, "times": 99, "on": "GET .*/events"})
    assert "exit code 1" in call("train", "--provider", "ours", code=1)  # it is left running there
    (job,) = call("providers", "jobs", "--json")
    stand_in.control(steps=10_000)
    done = call("providers", "cancel", job["job"], "--json")
    assert done["status"] == "cancelled" and stand_in.book["files"] == {}
    assert "approval-used" in call("train", "--provider", "ours", code=3)
    assert "no job" in call("providers", "cancel", "ftjob-9", code=2)


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (["train", "--provider", "theirs", "--estimate"], "provider-unknown"),
        (["train", "--estimate"], "nothing-to-estimate"),
        (["train", "--provider", "ours", "--gpus", "2"], "provider-trains"),
        (["providers", "cancel", "ftjob-1"], "no job"),
    ],
)
def test_wrong_usage_names_the_rule(call, arguments, rule):
    assert rule in call(*arguments, code=2)


def test_an_unknown_key_of_a_provider_is_an_error_with_its_line(call, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(config.read_text() + "    api_key: sk-1\n")
    told = yaml.safe_load(config.read_text())
    assert "api_key" in json.dumps(told)
    assert "unknown key" in call("providers", "list", code=2)


def test_writing_is_signed_by_what_the_settings_would_send(call, tmp_path, stand_in):
    signs = (
        "providers",
        "approve",
        "ours",
        "--for",
        "synthesis",
        "--as",
        "pia",
        "--password-stdin",
        "--reason",
        "reviewed",
    )
    assert "synthesis.provider is not set" in call(*signs, code=2)
    config = tmp_path / "config.yaml"
    told = yaml.safe_load(config.read_text()) | {"synthesis": {"generator": "provider", "provider": "ours"}}
    config.write_text(yaml.safe_dump(told))
    said = call(*signs, password=PASSWORD)
    assert "11 training examples of curated/" in said and "pia approved this" in said
    assert stand_in.requests == []
    (listed,) = call("providers", "list", "--json")
    assert len(listed["approvals"]) == 1
