"""`preceptor deid review`, `report` and `sign` as a person gives them."""

from __future__ import annotations

import io
import json

import pytest

from preceptor.cli import main
from preceptor.deid.stage import deidentify_batch
from preceptor.keys import deid_secret
from preceptor.release import users
from preceptor.release.store import open_store
from preceptor.settings import Workspace, load_settings
from preceptor.vault import open_vault

PASSWORD = "correct horse battery"


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    (tmp_path / "config.yaml").write_text("deid:\n  tagger: none\n")

    def call(*arguments, password="", code=0):
        monkeypatch.setattr("sys.stdin", io.StringIO(password + "\n"))
        with pytest.raises(SystemExit) as ended:
            main(["--home", str(tmp_path / "home"), "--config", str(tmp_path / "config.yaml"), *arguments])
        said = capsys.readouterr()
        assert (ended.value.code or 0) == code, said.err
        return said.out if code == 0 else said.err

    return call


@pytest.fixture
def batch(run, tmp_path):
    """Three notes taken in and de-identified; the first has a word that nothing explains."""
    folder = tmp_path / "notes"
    folder.mkdir()
    for name, text in (
        ("a", "Zbrzezny was tired.\nMRN: Q-10077"),
        ("b", "Knee pain. MRN: Q-20077"),
        ("c", "Cough. MRN: Q-30077"),
    ):
        (folder / f"{name}.txt").write_text(text)
    batch = json.loads(run("intake", str(folder), "--json"))["batch"]
    workspace, settings = Workspace(tmp_path / "home"), load_settings(None, tmp_path / "config.yaml")
    vault = open_vault(workspace, settings.vault)
    deidentify_batch(vault, batch, workspace.data, settings.deid, deid_secret(workspace, settings.vault))
    vault.close()
    store = open_store(workspace)
    users.add(store, "pia", "privacy", PASSWORD, actor="test")
    store.close()
    return batch


def test_the_queue_the_text_a_decision_the_report_and_a_signature(run, batch):
    queue = json.loads(run("deid", "review", "list", "--json"))
    assert queue["batch"] == batch
    assert {entry["reason"] for entry in queue["open"]} == {"sample"}
    first = queue["open"][0]["document"]
    shown = {e["document"]: run("deid", "review", "show", e["document"]) for e in queue["open"]}
    assert any("««Zbrzezny»»" in text for text in shown.values())
    assert all("0077" not in text and "⟦" in text for text in shown.values())
    signing = ("--as", "pia", "--password-stdin")
    run("deid", "review", "decide", first, "--verdict", "leak", "--missed", "1", *signing, password=PASSWORD)
    assert first not in {e["document"] for e in json.loads(run("deid", "review", "list", "--json"))["open"]}
    report = json.loads(run("deid", "report", "--json"))
    assert report["sample"] == {
        "documents": 1,
        "with_a_miss": 1,
        "missed": 1,
        "share_of_documents_with_a_miss": {"share": 1.0, "low": 0.025, "high": 1.0},
    }
    run("deid", "sign", "--reason", "expert determination", *signing, password=PASSWORD)
    assert json.loads(run("deid", "report", "--json"))["signatures"][0]["by"] == "pia"
    run("deid", "sign", "--reason", "x", *signing, password="wrong", code=3)


def test_an_unknown_document_or_batch_is_named_and_nothing_else(run, batch):
    assert "d-0" in run("deid", "review", "show", "d-0", code=2)
    assert "holds no" not in run("deid", "review", "list", "--batch", "none", code=2)


def test_before_anything_was_deidentified(run):
    assert "preceptor run" in run("deid", "report", code=2)


def test_a_version_from_before_there_were_reviews_is_said_to_be_one(run, batch, tmp_path):
    for file in (tmp_path / "home" / "data").glob("deid-*/*/doubts.parquet"):
        file.unlink()
    assert "earlier version" in run("deid", "report", code=2)


def test_a_tagger_that_was_never_trained_is_named_before_anything_is_read(run, tmp_path):
    (tmp_path / "config.yaml").write_text("deid:\n  tagger: trained\n")
    (tmp_path / "in.jsonl").write_text('{"note_id": 1, "text": "Knee pain."}\n')
    assert "no-tagger" in run(
        "deid", "scrub", str(tmp_path / "in.jsonl"), str(tmp_path / "out.jsonl"), code=2
    )
    assert not (tmp_path / "out.jsonl").exists()
