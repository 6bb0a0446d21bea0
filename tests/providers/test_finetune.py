"""A job from upload to model, and whatever may go wrong on the way, against the stand-in for a provider."""

from __future__ import annotations

import json
import os
from contextlib import closing

import pytest

from preceptor.errors import PreceptorError
from preceptor.providers import material, policy
from preceptor.providers.connection import Connection, ProviderFailed
from preceptor.providers.policy import PolicyRefused
from preceptor.providers.stage import plan, prepare, state_of
from preceptor.release.store import open_store
from preceptor.vault import open_vault
from preceptor.versions import newest

from .conftest import KEY, KEY_ENV, MARK, Worker, make_data, make_settings, sign, told, train, wait_for


def everything(folder):
    """All bytes of all files below a folder."""
    return b"\n".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def outside_the_data(workspace):
    return b"\n".join(
        path.read_bytes()
        for path in sorted(workspace.home.rglob("*"))
        if path.is_file() and not path.is_relative_to(workspace.data)
    )


def test_a_job_becomes_a_model_version_that_says_what_it_cost(approved, settings, stand_in, capfd):
    result = train(approved, settings)
    book = stand_in.book
    (job,) = book["jobs"].values()
    assert (result["provider_job"], result["fine_tuned_model"]) == (job["id"], job["fine_tuned_model"])
    assert (result["examples"], result["validation_examples"], job["hyperparameters"]) == (
        12,
        2,
        {"n_epochs": 3},
    )
    assert result["trained_tokens"] == job["trained_tokens"] > 0
    assert result["cost"]["dollars"] == pytest.approx(job["trained_tokens"] * 3 / 1e6, abs=1e-4)
    with closing(open_store(approved)) as store:
        (approval,) = policy.approvals(store, "ours")
    assert result["approval"] == approval.id
    assert [row["step"] for row in result["history"]] == [1, 2, 3]
    assert result["history"][1] == {"step": 2, "loss": 1.0, "eval_loss": 1.25}

    prepared = prepare(approved, settings, "", lambda: "")
    version = prepared.collect()
    assert newest(approved.models, "model").name == version.name
    assert version.manifest["inputs"] == {**version.manifest["inputs"], **result["data"]}
    assert sorted(p.name for p in version.path.iterdir()) == [
        "manifest.json",
        "provider.json",
        "training.json",
    ]
    assert (
        json.loads((version.path / "provider.json").read_text())["endpoint"]
        == settings.providers["ours"].base_url
    )
    assert prepare(approved, settings, "", lambda: "").finished.name == version.name

    assert book["files"] == {}, "the uploaded files are deleted when the job has ended"
    assert MARK.encode() not in outside_the_data(approved)
    said = capfd.readouterr()
    assert MARK not in said.out + said.err and "succeeded" in said.err
    with closing(open_vault(approved)) as vault:
        (sent,) = [e for e in vault.audit.entries() if e.action == "sent"]
    assert len(sent.refs) == 14 and sent.details["approval"] == approval.id


def test_what_is_uploaded_is_the_measured_chat_format_and_no_test_case(approved, settings, stand_in):
    stand_in.control(steps=10_000)
    worker = Worker(approved, settings)
    wait_for(lambda: stand_in.count("POST fine_tuning/jobs"))
    worker.kill()
    sent = (stand_in.folder / "files").iterdir()
    rows = [json.loads(line)["messages"] for path in sorted(sent) for line in path.read_text().splitlines()]
    assert len(rows) == 14 and all([m["role"] for m in row] == ["user", "assistant"] for row in rows)
    uploaded = {entry["filename"]: entry["bytes"] for entry in stand_in.book["files"].values()}
    measured = plan(approved, settings, "ours").material.measured
    assert sorted(uploaded.values()) == sorted(m.bytes for m in measured.values())
    asked = {row[0]["content"] for row in rows}
    from preceptor.tables import EXAMPLES, read_examples

    cases = [e for e in read_examples(newest(approved.data, "curated").path / EXAMPLES) if e.split == "test"]
    assert cases and not asked & {case.prompt for case in cases}


def test_the_key_is_nowhere_but_in_the_environment(approved, settings, stand_in, monkeypatch, capfd):
    wrong = "sk-wrong-5d1e"
    monkeypatch.setenv(KEY_ENV, wrong)
    with pytest.raises(ProviderFailed, match="status 401, invalid_api_key") as refused:
        train(approved, settings)
    assert KEY_ENV in str(refused.value)
    monkeypatch.setenv(KEY_ENV, KEY)
    train(approved, settings)
    said = capfd.readouterr()
    everywhere = everything(approved.home) + (said.out + said.err + str(refused.value)).encode()
    assert KEY.encode() not in everywhere and wrong.encode() not in everywhere


def test_a_job_that_fails_is_told_by_its_code_and_needs_another_approval(approved, settings, stand_in, capfd):
    stand_in.control(fail_at=2)
    with pytest.raises(PreceptorError, match="failed, server_error .rule provider-job-failed") as failed:
        train(approved, settings)
    assert MARK not in str(failed.value) + capfd.readouterr().err
    assert MARK.encode() not in outside_the_data(approved)
    assert stand_in.book["files"] == {}
    with pytest.raises(PolicyRefused, match="approval-used"):
        train(approved, settings)
    assert stand_in.count("POST fine_tuning/jobs") == 1

    sign(approved, settings)
    stand_in.control()
    result = train(approved, settings)
    assert stand_in.count("POST fine_tuning/jobs") == 2
    assert result["provider_job"] == list(stand_in.book["jobs"])[1]


@pytest.mark.parametrize(
    "moment",
    ["POST files", "POST fine_tuning/jobs", "GET fine_tuning/jobs/ftjob-0003/events"],
    ids=["uploading", "creating", "following"],
)
def test_killed_at_any_moment_it_goes_on_with_the_same_files_and_job(approved, settings, stand_in, moment):
    stand_in.control(steps=10_000, slow=0.1)
    worker = Worker(approved, settings)
    wait_for(lambda: stand_in.count(moment))
    worker.kill()
    stand_in.control()
    result = train(approved, settings)
    assert stand_in.count("POST files") == 2 and stand_in.count("POST fine_tuning/jobs") == 1
    assert list(stand_in.book["jobs"]) == [result["provider_job"]]
    assert MARK.encode() not in outside_the_data(approved)


@pytest.mark.parametrize("lost", ["files", "fine_tuning/jobs"])
def test_a_reply_that_got_lost_makes_nothing_twice(approved, settings, stand_in, lost):
    stand_in.control(lose=lost)
    train(approved, settings)
    assert stand_in.count("POST files") == 2 and stand_in.count("POST fine_tuning/jobs") == 1


def test_without_its_folder_the_job_is_found_by_its_name(approved, settings, stand_in):
    first = train(approved, settings)
    folder = plan(approved, settings, "ours").folder
    folder.rename(approved.home / "away")
    assert train(approved, settings)["provider_job"] == first["provider_job"]
    assert stand_in.count("POST files") == 2 and stand_in.count("POST fine_tuning/jobs") == 1


def test_a_provider_that_dies_is_followed_again_when_it_is_back(approved, settings, stand_in):
    stand_in.control(die_at=2)
    with pytest.raises(ProviderFailed, match="provider-unreachable"):
        train(approved, settings)
    stand_in.process.wait()
    stand_in.control()
    stand_in.start()
    assert train(approved, settings)["trained_tokens"] > 0
    assert stand_in.count("POST fine_tuning/jobs") == 1


def test_a_second_process_on_the_same_job_is_refused(approved, settings, stand_in):
    stand_in.control(steps=10_000)
    worker = Worker(approved, settings)
    wait_for(lambda: stand_in.count("POST fine_tuning/jobs"))
    with pytest.raises(PreceptorError, match="training-in-progress"):
        train(approved, settings)
    worker.process.terminate()
    code, said = worker.end()
    assert code == 130 and "goes on at the provider" in said


@pytest.mark.parametrize(
    ("refuse", "waits"),
    [
        ({"status": 429, "retry_after": "7", "times": 2}, [7.0, 7.0]),
        ({"status": 429, "times": 3}, [0.02, 0.04, 0.08]),
        ({"status": 503, "retry_after": "3", "times": 1}, [3.0]),
    ],
)
def test_it_waits_as_long_as_the_provider_asks(settings, stand_in, refuse, waits):
    stand_in.control(refuse=refuse)
    slept = []
    with Connection(settings.providers["ours"], slept.append) as connection:
        assert connection.get("files")["data"] == []
    assert slept == pytest.approx(waits)


def test_a_rate_limit_while_uploading_sends_the_file_once(approved, settings, stand_in):
    stand_in.control(refuse={"status": 429, "times": 2, "on": "POST .*", "retry_after": "0.01"})
    train(approved, settings)
    assert stand_in.count("POST files") == 4 and stand_in.book["count"] == 3, (
        "two files and one job were made"
    )


@pytest.mark.parametrize(
    ("code", "said"),
    [("model_not_available", "model_not_available"), (f"{MARK} was sent", "invalid_request_error")],
)
def test_a_refusal_is_final_and_only_its_code_is_told(approved, settings, stand_in, code, said):
    stand_in.control(refuse={"status": 400, "times": 1, "on": "POST fine_tuning/jobs", "code": code})
    with pytest.raises(ProviderFailed) as failed:
        train(approved, settings)
    assert f"status 400, {said}; rule provider-refused" in str(failed.value)
    assert MARK not in str(failed.value)
    assert stand_in.count("POST fine_tuning/jobs") == 1


def test_a_redirection_is_not_followed(approved, settings, stand_in):
    stand_in.control(redirect=f"http://127.0.0.1:{stand_in.port}/v1/files")
    with pytest.raises(ProviderFailed, match="status 307"):
        train(approved, settings)
    assert len(stand_in.requests) == 1


def test_azure_has_other_routes_and_another_header(workspace, stand_in):
    address = f"http://127.0.0.1:{stand_in.port}"
    settings = make_settings(stand_in.port, base_url=address, api="azure", api_version="2024-10-21")
    sign(workspace, settings)
    assert train(workspace, settings)["fine_tuned_model"].startswith("ft:")


def test_fewer_examples_than_providers_take_are_not_sent(workspace, settings, stand_in):
    make_data(workspace, train=8, config=3)
    with pytest.raises(PreceptorError, match="9 training examples.*too-few-examples"):
        plan(workspace, settings, "ours")


def test_the_stand_in_refuses_what_a_provider_refuses(workspace, settings, stand_in, monkeypatch):
    """Else these tests would prove little."""
    monkeypatch.setattr(material, "LEAST", 1)
    make_data(workspace, train=8, config=3)
    sign(workspace, settings)
    with pytest.raises(ProviderFailed, match="too_few_examples"):
        train(workspace, settings)


def test_files_for_upload_are_for_their_owner_only(workspace, settings, tmp_path):
    planned = plan(workspace, settings, "ours")
    given = planned.material
    path = tmp_path / "training.jsonl"
    material.write(path, given.examples["training"], given.measured["training"])
    assert os.stat(path).st_mode & 0o077 == 0
    with pytest.raises(PreceptorError, match="material-changed"):
        material.write(path, given.examples["validation"], given.measured["training"])
    assert not path.exists()


def test_data_that_changed_after_planning_are_not_sent(workspace, settings, stand_in):
    from preceptor.providers.worker import run

    given = told(workspace, settings)
    make_data(workspace, train=12, config=2)
    with pytest.raises(PreceptorError, match="material-changed"):
        run(given)
    assert stand_in.requests == []


def test_state_holds_no_text(approved, settings, stand_in):
    train(approved, settings)
    state = state_of(plan(approved, settings, "ours"))
    assert state.status == "succeeded" and state.files == {}
