"""`preceptor vault` as a person or a script gives it."""

from __future__ import annotations

import json
import sqlite3

import pytest

from preceptor.cli import main
from preceptor.records import Labels, PatientRecord
from preceptor.settings import Workspace
from preceptor.vault import open_vault


@pytest.fixture
def call(tmp_path, capfd, monkeypatch):
    for name in ("PRECEPTOR_MASTER_KEY_FILE", "PRECEPTOR_AGE_IDENTITY_FILE", "PRECEPTOR_ACTOR"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments, code=0):
        with pytest.raises(SystemExit) as ended:
            main(["--home", str(tmp_path / "home"), "vault", *map(str, arguments)])
        said = capfd.readouterr()
        assert ended.value.code == code, said.err
        assert "Traceback" not in said.err
        return json.loads(said.out) if "--json" in arguments and said.out else said.out + said.err

    return run


@pytest.fixture
def home(tmp_path, call):
    workspace = Workspace(tmp_path / "home")
    vault = open_vault(workspace)
    for patient in ("77", "78"):
        ref = vault.put_record(PatientRecord.from_mapping({"patient_id": patient, "name": "Ada Quackenbush"}))
        vault.put_document(
            ref, "b1", text=f"Quackenbush {patient}", note_type="note", specialty="general", encounter=None,
            format="text", file_name="a.txt", labels=Labels(),
        )  # fmt: skip
    list(vault.documents("b1", why="de-identification"))
    vault.close()
    return workspace


def test_status_says_what_keeps_the_keys_and_how_far_the_log_has_come(call, home):
    found = call("status", "--json")
    assert (found["provider"], found["generation"], found["documents"], found["patients"]) == (
        "local",
        1,
        2,
        2,
    )
    assert (found["audit_entries"], len(found["audit_head"])) == (1, 64)
    assert "local key" in call("status")


def test_verify_is_0_for_a_sound_vault_and_1_for_a_changed_one(call, home):
    assert call("verify", "--json")["problems"] == []
    db = sqlite3.connect(home.vault / "vault.db")
    ref = db.execute("SELECT document_ref FROM documents LIMIT 1").fetchone()[0]
    db.execute("UPDATE documents SET sealed = zeroblob(100) WHERE document_ref = ?", (ref,))
    db.commit()
    db.close()
    found = call("verify", "--json", code=1)
    assert [(p["where"], p["rule"]) for p in found["problems"]] == [(ref, "document")]
    assert "Quackenbush" not in call("verify", code=1)


def test_rotate_and_what_it_says(call, home):
    done = call("rotate", "--json")
    assert (done["generation"], done["patients"]) == (2, 2)
    assert "nothing else" in call("rotate")
    assert call("status", "--json")["generation"] == 3
    assert call("verify", "--json")["problems"] == []


def test_audit_of_one_patient_lists_only_that_patients_documents(call, home):
    found = call("audit", "--patient", "77", "--json")
    assert [(e["action"], e["purpose"], len(e["refs"])) for e in found] == [("read", "de-identification", 1)]
    assert "de-identification" in call("audit")
    assert call("audit", "--since", "2999-01-01", "--json") == []
    assert "knows no patient" in call("audit", "--patient", "Quackenbush", code=2)


def test_audit_of_an_erased_patient_still_tells_the_readings(call, home):
    vault = open_vault(home)
    vault.erase_patient(vault.find_patient("77"))
    vault.close()
    assert [e["action"] for e in call("audit", "--patient", "77", "--json")] == ["read", "erased"]


def test_without_a_vault_it_is_wrong_usage_and_makes_none(call, tmp_path):
    assert "no vault" in call("status", code=2)
    assert not (tmp_path / "home" / "vault").exists()


def test_a_new_home_is_under_what_the_configuration_says(call, tmp_path, monkeypatch, capfd):
    import pyrage

    made = pyrage.x25519.Identity.generate()
    (tmp_path / "own.txt").write_text(f"{made}\n")
    (tmp_path / "own.txt").chmod(0o600)
    (tmp_path / "note.txt").write_text("Gout of the left foot, improving on colchicine.")
    (tmp_path / "config.yaml").write_text("vault:\n  keys: age\n")
    monkeypatch.setenv("PRECEPTOR_AGE_IDENTITY_FILE", str(tmp_path / "own.txt"))
    options = ["--home", str(tmp_path / "home"), "--config", str(tmp_path / "config.yaml")]
    with pytest.raises(SystemExit):
        main([*options, "intake", str(tmp_path / "note.txt")])
    capfd.readouterr()
    assert call("status", "--json")["provider"] == "age"
    assert not (tmp_path / "home" / "keys").exists()
