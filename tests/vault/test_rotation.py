from __future__ import annotations

import base64
import os
import shutil
import sqlite3
import stat

import pyrage
import pytest

from preceptor.errors import UsageError
from preceptor.keys import KEYRING, deid_secret, make_key_file, master_key, release_key
from preceptor.settings import VaultSettings
from preceptor.vault import Vault, VaultError, open_vault
from preceptor.vault.keyring import Secrets, read_header
from preceptor.vault.opening import open_keyring
from preceptor.vault.rotation import STEPS, rotate
from preceptor.vault.verification import verify

SETTINGS = VaultSettings()


class Killed(BaseException):
    pass


def kill_after(step):
    def after(done):
        if done == step:
            raise Killed

    return after


def rows(workspace, table, columns="*"):
    db = sqlite3.connect(workspace.vault / "vault.db")
    try:
        return db.execute(f"SELECT {columns} FROM {table} ORDER BY 1").fetchall()
    finally:
        db.close()


def identity(path):
    made = pyrage.x25519.Identity.generate()
    path.write_text(f"{made}\n")
    path.chmod(0o600)
    return str(made.to_public())


def holds_all(workspace):
    """The vault opens, and every value in it."""
    vault = open_vault(workspace)
    try:
        return verify(vault) == [] and len(list(vault.documents("b1", why="test"))) == 3
    finally:
        vault.close()


@pytest.fixture
def home(workspace, put):
    vault = open_vault(workspace)
    for patient in ("77", "78", "79"):
        put(vault, patient=patient)
    vault.put_quarantined("a" * 64, "b1", "pdf-corrupt", "scan.pdf", b"%PDF-")
    vault.close()
    return workspace


def test_a_new_key_rewrites_no_document_and_changes_no_reference_or_surrogate(home):
    before = rows(home, "documents"), deid_secret(home), release_key(home), rows(home, "aliases")
    keys, old = rows(home, "patients", "patient_ref, wrapped_key"), master_key(home)
    done = rotate(home, None, SETTINGS)
    assert (done.generation, done.patients) == (2, 3)
    assert master_key(home) != old
    assert (rows(home, "documents"), deid_secret(home), release_key(home), rows(home, "aliases")) == before
    after = rows(home, "patients", "patient_ref, wrapped_key")
    assert all(a[1] != b[1] for a, b in zip(keys, after, strict=True))
    assert holds_all(home)
    assert stat.S_IMODE((home.keys / "master.key").stat().st_mode) == 0o600


def test_the_old_key_opens_the_vault_no_more(home, monkeypatch):
    old, secrets = master_key(home), open_keyring(home).secrets
    rotate(home, None, SETTINGS)
    with pytest.raises(VaultError, match="master key"):
        Vault(home.vault, secrets)  # not even with all secrets of the old keyring
    monkeypatch.setenv("PRECEPTOR_MASTER_KEY", base64.b64encode(old).decode())
    with pytest.raises(VaultError, match="rotated to"):
        open_vault(home)


def test_the_old_key_of_a_home_without_a_keyring_opens_it_no_more(workspace, put):
    master = master_key(workspace)
    old = Vault(workspace.vault, master)
    ref, document, _ = put(old)
    old.close()
    rotate(workspace, None, SETTINGS)
    with pytest.raises(VaultError, match="master key"):
        Vault(workspace.vault, master)
    vault = open_vault(workspace)
    assert vault.document(document, why="test").patient_ref == ref
    wrapped = rows(workspace, "patients", "wrapped_key")[0][0]
    from preceptor.vault.sealing import unwrap_key

    assert unwrap_key(Secrets.derived(master).wrap, wrapped) is None
    vault.close()


def test_the_old_key_is_kept_for_older_backups_or_destroyed(home, tmp_path, monkeypatch):
    shutil.copytree(home.vault, tmp_path / "backup")
    first = rotate(home, None, SETTINGS)
    kept = home.keys / "retired"
    assert [str(p) for p in kept.iterdir()] == [first.old_key]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    assert stat.S_IMODE(next(kept.iterdir()).stat().st_mode) == 0o600
    assert rotate(home, None, SETTINGS, keep_old=False).old_key is None
    assert len(list(kept.iterdir())) == 1
    shutil.rmtree(home.vault)
    shutil.copytree(tmp_path / "backup", home.vault)
    monkeypatch.setenv("PRECEPTOR_MASTER_KEY_FILE", first.old_key)
    assert holds_all(home)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("keep", [True, False])
def test_killed_after_any_step_it_opens_and_runs_again(home, step, keep):
    before = rows(home, "documents"), deid_secret(home)
    with pytest.raises(Killed):
        rotate(home, None, SETTINGS, keep_old=keep, after=kill_after(step))
    assert holds_all(home)
    rotate(home, None, SETTINGS, keep_old=keep)
    assert holds_all(home)
    assert (rows(home, "documents"), deid_secret(home)) == before
    assert not (home.keys / "master.key.next").exists()
    assert open_keyring(home).secrets.next_wrap is None


@pytest.mark.parametrize("step", STEPS)
def test_patients_taken_in_after_a_kill_are_kept(home, put, step):
    with pytest.raises(Killed):
        rotate(home, None, SETTINGS, after=kill_after(step))
    vault = open_vault(home)
    _, document, _ = put(vault, patient="80", batch="b2")
    vault.close()
    rotate(home, None, SETTINGS)
    vault = open_vault(home)
    assert vault.document(document, why="test").text
    vault.close()


@pytest.mark.parametrize("name", ["replace", "save", "rewrap", "keep"])
def test_killed_in_the_middle_of_a_step_it_opens_and_runs_again(home, monkeypatch, name):
    """Just before a rename, a write or the end of the transaction, rather than between two steps."""
    targets = {
        "replace": "preceptor.vault.keyring.replace_private",
        "save": "preceptor.vault.rotation.Keyring.make",
        "rewrap": "preceptor.vault.store.Vault._set_meta",
        "keep": "preceptor.vault.rotation.sync_folder",
    }

    def dies(*args, **kwargs):
        raise Killed

    with monkeypatch.context() as killing:
        killing.setattr(targets[name], dies)
        with pytest.raises(Killed):
            rotate(home, None, SETTINGS)
    assert holds_all(home)
    rotate(home, None, SETTINGS)
    assert holds_all(home)


def test_a_process_that_had_the_vault_open_can_neither_read_nor_write_keys_afterwards(home, put):
    vault = open_vault(home)
    rotate(home, None, SETTINGS)
    with pytest.raises(VaultError, match="run the command again"):
        list(vault.documents("b1", why="test"))
    with pytest.raises(VaultError, match="run the command again"):
        put(vault, patient="81")
    vault.close()
    assert holds_all(home)


def test_to_a_file_elsewhere(home, tmp_path, monkeypatch):
    new = tmp_path / "elsewhere.key"
    with pytest.raises(Killed):
        rotate(home, str(new), SETTINGS, after=kill_after("keyring"))
    with pytest.raises(VaultError, match="PRECEPTOR_MASTER_KEY_FILE"):
        open_vault(home)
    done = rotate(home, str(new), SETTINGS)
    assert not (home.keys / "master.key").exists()
    assert "retired" in done.old_key
    monkeypatch.setenv("PRECEPTOR_MASTER_KEY_FILE", str(new))
    assert holds_all(home)
    in_place = rotate(home, None, SETTINGS)
    assert in_place.old_key.startswith(str(tmp_path / "retired"))
    assert str(new) in in_place.key
    assert holds_all(home)


def test_a_key_in_the_environment_cannot_be_replaced_in_place(workspace, put, tmp_path, monkeypatch):
    monkeypatch.setenv("PRECEPTOR_MASTER_KEY", base64.b64encode(os.urandom(32)).decode())
    open_vault(workspace).close()
    with pytest.raises(UsageError, match="--to"):
        rotate(workspace, None, SETTINGS)
    rotate(workspace, str(tmp_path / "new.key"), SETTINGS)
    monkeypatch.delenv("PRECEPTOR_MASTER_KEY")
    monkeypatch.setenv("PRECEPTOR_MASTER_KEY_FILE", str(tmp_path / "new.key"))
    open_vault(workspace).close()


@pytest.mark.parametrize("step", [None, *STEPS])
def test_to_age_and_back(home, tmp_path, monkeypatch, step):
    identity(tmp_path / "own.txt")
    escrow = VaultSettings(age_recipients=(identity(tmp_path / "escrow.txt"),))
    monkeypatch.setenv("PRECEPTOR_AGE_IDENTITY_FILE", str(tmp_path / "own.txt"))
    if step:
        with pytest.raises(Killed):
            rotate(home, "age", escrow, after=kill_after(step))
        assert holds_all(home)
    rotate(home, "age", escrow)
    assert not (home.keys / "master.key").exists()
    assert holds_all(home)
    monkeypatch.setenv("PRECEPTOR_AGE_IDENTITY_FILE", str(tmp_path / "escrow.txt"))
    assert holds_all(home)
    rotate(home, "local", SETTINGS)
    monkeypatch.delenv("PRECEPTOR_AGE_IDENTITY_FILE")
    assert holds_all(home)


def test_to_another_age_identity(home, tmp_path, monkeypatch):
    for name in ("one", "two"):
        identity(tmp_path / name)
    monkeypatch.setenv("PRECEPTOR_AGE_IDENTITY_FILE", str(tmp_path / "one"))
    rotate(home, "age", SETTINGS)
    rotate(home, f"age:{tmp_path / 'two'}", SETTINGS)
    with pytest.raises(VaultError, match="does not open"):
        open_vault(home)
    monkeypatch.setenv("PRECEPTOR_AGE_IDENTITY_FILE", str(tmp_path / "two"))
    assert holds_all(home)


def test_the_same_key_again_changes_nothing(home, tmp_path, monkeypatch):
    make_key_file(tmp_path / "new.key")
    monkeypatch.setenv("PRECEPTOR_MASTER_KEY_FILE", str(home.keys / "master.key"))
    rotate(home, str(tmp_path / "new.key"), SETTINGS)
    assert rotate(home, str(tmp_path / "new.key"), SETTINGS).patients == 0
    assert read_header(home.vault / KEYRING).generation == 2


def test_a_damaged_patient_key_stops_it_before_anything_is_lost(home):
    db = sqlite3.connect(home.vault / "vault.db")
    ref = db.execute("SELECT patient_ref FROM patients LIMIT 1").fetchone()[0]
    db.execute("UPDATE patients SET wrapped_key = zeroblob(40) WHERE patient_ref = ?", (ref,))
    db.commit()
    db.close()
    keys = rows(home, "patients", "patient_ref, wrapped_key")
    with pytest.raises(VaultError, match=ref):
        rotate(home, None, SETTINGS)
    assert rows(home, "patients", "patient_ref, wrapped_key") == keys
    vault = open_vault(home)
    vault.erase_patient(ref)
    vault.close()
    assert rotate(home, None, SETTINGS).patients == 2


def test_without_a_vault_there_is_nothing_to_rotate(workspace):
    with pytest.raises(UsageError, match="no vault"):
        rotate(workspace, None, SETTINGS)
