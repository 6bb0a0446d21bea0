from __future__ import annotations

import base64
import json
import sqlite3
import stat
from concurrent.futures import ThreadPoolExecutor

import pyrage
import pytest

from preceptor.errors import UsageError
from preceptor.keys import KEYRING, deid_secret, derive, master_key, release_key
from preceptor.settings import VaultSettings
from preceptor.vault import Vault, VaultError, open_vault, sealing, store
from preceptor.vault.opening import open_keyring

KEY = bytes(range(32))


def identity(path):
    """An identity file as age-keygen writes it; returns the recipient."""
    made = pyrage.x25519.Identity.generate()
    path.write_text(f"# created: 2026-01-01T00:00:00Z\n# public key: {made.to_public()}\n{made}\n")
    path.chmod(0o600)
    return str(made.to_public())


@pytest.fixture
def age(workspace, tmp_path, monkeypatch):
    """A home under age, with an escrow recipient; returns the escrow's identity file."""
    identity(tmp_path / "own.txt")
    recipient = identity(tmp_path / "escrow.txt")
    monkeypatch.setenv("PRECEPTOR_AGE_IDENTITY_FILE", str(tmp_path / "own.txt"))
    open_vault(workspace, VaultSettings(age_recipients=(recipient,))).close()
    return tmp_path / "escrow.txt"


def test_a_new_home_has_random_secrets_in_a_closed_file(workspace):
    open_vault(workspace).close()
    path = workspace.vault / KEYRING
    secrets = open_keyring(workspace).secrets
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert deid_secret(workspace) == secrets.surrogates != derive(master_key(workspace), "surrogates")
    assert base64.b64encode(secrets.surrogates) not in path.read_bytes()
    assert deid_secret(workspace) == secrets.surrogates


def test_an_old_home_keeps_its_references_and_surrogates(workspace, put, monkeypatch):
    """A home as it was before: no keyring, no audit log, all derived from the master key, another column's name."""
    master = master_key(workspace)
    with monkeypatch.context() as before:
        before.setattr(sealing, "_BOUND_TO_COLUMNS", 1)
        before.setattr(store, "seal", lambda *value: sealing.seal(*value[:4]))
        before.setattr(Vault, "_begin_audit", lambda vault: None)
        old = Vault(workspace.vault, master)
        ref, document, _ = put(old)
        old.close()
    db = sqlite3.connect(workspace.vault / "vault.db")
    assert db.execute("SELECT substr(hex(sealed), 1, 2) FROM documents").fetchone() == ("01",)
    db.execute("ALTER TABLE files RENAME COLUMN items TO documents")
    db.execute("DROP TABLE refusals")
    db.execute("PRAGMA user_version = 0")
    db.execute("DELETE FROM meta WHERE name <> 'key-check'")
    db.commit()
    db.close()

    vault = open_vault(workspace)
    assert vault.document(document, why="test").patient_ref == ref == vault.patient_ref("77")
    vault.put_file("f", "b1", 3)
    assert vault.file_items("f") == 3
    vault.put_refusal("a note", "b1", "too-short")
    assert vault.counts("b1").by_refusal == {"too-short": 1}
    vault.close()
    assert deid_secret(workspace) == derive(master, "surrogates")
    assert release_key(workspace) == derive(master, "release/chain")


def test_a_lost_keyring_is_an_error_and_not_a_new_one(workspace):
    open_vault(workspace).close()
    (workspace.vault / KEYRING).unlink()
    with pytest.raises(VaultError, match="keyring.json is missing"):
        open_vault(workspace)
    assert not (workspace.vault / KEYRING).exists()


def test_a_master_key_lost_beside_a_keyring_is_not_made_anew(workspace):
    release_key(workspace)
    (workspace.keys / "master.key").unlink()
    with pytest.raises(UsageError, match="master key is gone"):
        release_key(workspace)
    assert not (workspace.keys / "master.key").exists()


def test_many_that_open_a_new_home_at_once_get_the_same_secrets(workspace):
    def first(_):
        open_vault(workspace).close()
        return deid_secret(workspace)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(first, range(8)))) == 1


def test_another_master_key_is_refused(workspace, monkeypatch):
    open_vault(workspace).close()
    monkeypatch.setenv("PRECEPTOR_MASTER_KEY", base64.b64encode(bytes(32)).decode())
    with pytest.raises(VaultError, match="is not the one this vault was made with"):
        open_vault(workspace)


@pytest.mark.parametrize("field", ["generation", "provider", "key", "wrapped", "sealed", "format"])
def test_a_keyring_that_was_changed_is_refused(workspace, field):
    open_vault(workspace).close()
    path = workspace.vault / KEYRING
    data = json.loads(path.read_text())
    changed = {"generation": 2, "provider": "nobody", "key": {"id": "0" * 16}, "format": 2}
    flipped = str(data[field])[:-6] + ("AAAA" if str(data[field])[-6:-2] != "AAAA" else "BBBB")
    data[field] = changed.get(field, flipped + str(data[field])[-2:])
    path.write_text(json.dumps(data))
    with pytest.raises(VaultError):
        open_vault(workspace)


@pytest.mark.parametrize("text", ["", "{}", "[]", "not JSON", '{"format": 1, "generation": "x"}'])
def test_a_keyring_that_is_none_is_refused(workspace, text):
    open_vault(workspace).close()
    (workspace.vault / KEYRING).write_text(text)
    with pytest.raises(VaultError, match="changed or damaged"):
        open_vault(workspace)


@pytest.mark.parametrize("mode", [0o644, 0o604, 0o620])
def test_a_key_that_others_may_read_is_refused(workspace, mode):
    open_vault(workspace).close()
    (workspace.keys / "master.key").chmod(mode)
    with pytest.raises(UsageError, match="chmod 600"):
        open_vault(workspace)


def test_age_keeps_the_keyring_and_an_escrow_recipient_opens_it_too(workspace, age, monkeypatch):
    assert json.loads((workspace.vault / KEYRING).read_text())["provider"] == "age"
    assert not workspace.keys.exists()
    secret = deid_secret(workspace)
    monkeypatch.setenv("PRECEPTOR_AGE_IDENTITY_FILE", str(age))
    assert deid_secret(workspace) == secret


def test_an_age_identity_that_is_no_recipient_is_refused(workspace, age, monkeypatch, tmp_path):
    identity(tmp_path / "stranger.txt")
    monkeypatch.setenv("PRECEPTOR_AGE_IDENTITY_FILE", str(tmp_path / "stranger.txt"))
    with pytest.raises(VaultError, match="does not open"):
        open_vault(workspace)
    monkeypatch.delenv("PRECEPTOR_AGE_IDENTITY_FILE")
    with pytest.raises(UsageError, match="PRECEPTOR_AGE_IDENTITY_FILE"):
        open_vault(workspace)


def test_an_age_identity_is_a_closed_file_with_an_identity(workspace, age, tmp_path):
    (tmp_path / "own.txt").chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        open_vault(workspace)
    (tmp_path / "own.txt").chmod(0o600)
    (tmp_path / "own.txt").write_text("AGE-SECRET-KEY-1NOTHING\n")
    with pytest.raises(UsageError, match="no age identity") as refused:
        open_vault(workspace)
    assert "NOTHING" not in str(refused.value)


def test_a_recipient_that_is_none_is_a_usage_error(workspace, monkeypatch, tmp_path):
    identity(tmp_path / "own.txt")
    monkeypatch.setenv("PRECEPTOR_AGE_IDENTITY_FILE", str(tmp_path / "own.txt"))
    with pytest.raises(UsageError, match="age_recipients"):
        open_vault(workspace, VaultSettings(age_recipients=("age1nobody",)))
