"""The commands as a person gives them: exit codes, one JSON document on standard output."""

from __future__ import annotations

import io
import json
import sqlite3
from dataclasses import replace

import pytest

from preceptor.cli import main
from preceptor.release.candidates import submit
from preceptor.release.registry import tracking_of
from preceptor.release.stage import validity
from preceptor.release.store import open_store
from preceptor.settings import Workspace, load_settings

from .conftest import PASSED, PASSWORD, bundle


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A workspace with two candidates."""
    home = tmp_path_factory.mktemp("home")
    workspace = Workspace(home)
    workspace.mlflow.mkdir()
    workspace.keys.mkdir()
    store = open_store(workspace)
    decision = replace(PASSED, policy=validity(load_settings()).policy)
    model = home / "weights"
    model.mkdir()
    for weights in "ab":
        (model / "adapter.bin").write_text(weights)
        submit(tracking_of(workspace), store, "preceptor", None, model, bundle(), decision, actor="test")
    store.close()
    # No model is behind these versions; tests/serving/test_smoke.py asks real ones.
    (home / "config.yaml").write_text('release: {smoke_prompts: ""}')
    return home


@pytest.fixture
def run(place, capsys, monkeypatch):
    def call(*arguments, password=None, code=0):
        monkeypatch.setattr("sys.stdin", io.StringIO((password or "") + "\n"))
        with pytest.raises(SystemExit) as ended:
            main(["--home", str(place), "--config", str(place / "config.yaml"), *arguments])
        said = capsys.readouterr()
        assert ended.value.code == code, said.err
        if "--json" in arguments and code in (0, 1) and said.out:
            return json.loads(said.out)
        return said.out + said.err

    return call


def test_a_person_is_added_approves_promotes_and_rolls_back(run, place):
    run("users", "add", "ana", "--role", "approver", "--password-stdin", password=PASSWORD)
    run("users", "add", "rita", "--role", "reviewer", "--password-stdin", password=PASSWORD)
    assert [user["name"] for user in run("users", "list", "--json")] == ["ana", "rita"]

    listed = [row for row in run("release", "list", "--json") if row["name"] == "preceptor"]
    assert [(row["version"], row["status"], row["aliases"]) for row in listed] == [
        (1, "registered", []),
        (2, "candidate", ["candidate"]),
    ]
    assert "0 of 1 required approvals" in run("release", "promote", code=3)
    assert "no previous champion" in run("release", "rollback", code=3)

    sign = ("--as", "ana", "--password-stdin", "--reason", "reads well")
    assert "do not belong together" in run(
        "release", "approve", "preceptor/1", *sign, password="wrong", code=3
    )
    other = ("--as", "rita", *sign[2:])
    assert "rita is reviewer" in run("release", "approve", "preceptor/1", *other, password=PASSWORD, code=3)
    event = run("release", "approve", "preceptor/1", *sign, "--json", password=PASSWORD)
    assert (event["kind"], event["signed"], event["payload"]["version"]) == ("approved", True, "preceptor/1")

    done = run("release", "promote", "--json")
    assert done["champion"] == "preceptor/1"
    assert done["smoke"] == {"asked": 0, "why": "release.smoke_prompts names no file"}
    run("release", "approve", "preceptor@candidate", *sign, password=PASSWORD)
    assert run("release", "promote", "preceptor/2", "--json")["previous"] == "preceptor/1"
    assert run("release", "promote", "--json") == {
        "champion": "preceptor/2",
        "previous": "preceptor/1",
        "event": None,
    }
    assert run("release", "rollback", "--reason", "worse", "--json")["champion"] == "preceptor/1"

    shown = run("release", "show", "preceptor@champion", "--json")
    assert (shown["status"], shown["bundle"]["seeds"]) == ("champion", {"training": 7})
    assert "preceptor/1 rolled_back" in " ".join(
        f"{e['subject']} {e['kind']}" for e in run("release", "history", "--json")
    )
    assert "# Model card: preceptor, version 1" in run("release", "card", "preceptor/1")
    assert "promoted" in run("release", "history", "preceptor/1")
    assert "champion" in run("release", "list")
    traced = run("lineage", "preceptor/1", "--json")
    assert traced["missing"] == sorted(bundle()["data"].values())

    run("users", "disable", "ana")
    assert run("release", "verify", "--json")["problems"] == []

    with sqlite3.connect(place / "release" / "release.db") as db:
        db.execute("DROP TRIGGER events_stay")
        db.execute("UPDATE events SET actor = 'anb' WHERE id = ?", (event["id"],))
    db.close()
    found = run("release", "verify", "--json", code=1)
    assert found["problems"][0]["where"] == f"event {event['id']}"
    assert f"event {event['id']}" in run("release", "list", code=1)


def test_a_home_without_models_says_so(tmp_path, capsys):
    for arguments, said in (
        (["release", "list", "--json"], "[]"),
        (["release", "verify"], "0 events"),
        (["users", "list"], "Nobody yet"),
    ):
        with pytest.raises(SystemExit) as ended:
            main(["--home", str(tmp_path), *arguments])
        assert ended.value.code == 0
        assert said in capsys.readouterr().out
    assert not (tmp_path / "mlflow").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["release", "approve", "preceptor/1", "--as", "ana"],  # no reason
        ["release", "show", "preceptor/99"],
        ["release", "show", "nothing"],
        ["users", "add", "ben", "--role", "king"],
        ["users", "add", "ben", "--role", "admin"],  # no terminal and no --password-stdin
        ["lineage", "d-unknown"],
    ],
)
def test_wrong_usage_exits_2(run, arguments):
    run(*arguments, code=2)
