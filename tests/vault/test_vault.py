from __future__ import annotations

import os
import random
import sqlite3
import stat

import pytest

from preceptor.keys import master_key
from preceptor.records import PatientRecord
from preceptor.vault import Vault, VaultError

KEY = bytes(range(32))
NAME = "Wilhelmina Quackenbush"
WHY = "test"


def test_what_was_put_in_comes_out_whole(vault, put):
    _, document, _ = put(vault, date="2024-03-14", author_role="attending")
    found = vault.document(document, why=WHY)
    assert found.text == f"{NAME} has a cough."
    assert found.labels.codes == {"R05.9": ["cough"]}
    assert (found.date, found.author_role) == ("2024-03-14", "attending")
    assert vault.record(found.patient_ref, why=WHY).names == (NAME,)


def test_nothing_readable_lies_on_the_disk(vault, put, stored, tmp_path):
    put(vault, file_name="quackenbush.txt")
    list(vault.documents("b1", why=WHY))
    lying = stored(tmp_path / "vault").lower()
    assert b"quackenbush" not in lying
    assert b"cough" not in lying
    assert b"m-77" not in lying


def test_files_are_closed_to_others_whatever_the_umask(tmp_path, put):
    before = os.umask(0)
    try:
        vault = Vault(tmp_path / "vault", KEY)
        put(vault)
        list(vault.documents("b1", why=WHY))
        modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "vault").iterdir()}
        vault.close()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "vault").stat().st_mode) == 0o700
    assert set(modes.values()) == {0o600}
    assert {"vault.db-wal", "vault.db-shm", "audit.db", "audit.db-wal", "audit-head.json"} <= set(modes)


def test_a_folder_that_was_open_to_others_is_closed(tmp_path):
    (tmp_path / "vault").mkdir(mode=0o755)
    Vault(tmp_path / "vault", KEY).close()
    assert stat.S_IMODE((tmp_path / "vault").stat().st_mode) == 0o700


def test_the_same_text_of_a_patient_is_one_document(vault, put):
    first = put(vault)
    again = put(vault, text=f"{NAME}  has a cough.\n", file_name="b.pdf")
    assert (again[1], again[2]) == (first[1], False)
    assert put(vault, patient="78")[2]


def test_a_patient_is_found_by_id_or_mrn_however_punctuated(vault, put):
    ref, _, _ = put(vault)
    assert vault.find_patient("77") == vault.find_patient("m77") == ref
    with vault.transaction():
        assert vault.put_record(PatientRecord.from_mapping({"mrn": "M 77", "phone": "555-0100"})) == ref
    assert vault.record(ref, why=WHY).phones == ("555-0100",)
    assert vault.find_patient("79") is None


def test_a_value_moved_to_another_row_is_refused(vault, put, tmp_path):
    _, a, _ = put(vault)
    _, b, _ = put(vault, text="Another note.")
    db = sqlite3.connect(tmp_path / "vault" / "vault.db")
    db.execute(
        "UPDATE documents SET sealed = (SELECT sealed FROM documents WHERE document_ref = ?) WHERE document_ref = ?",
        (a, b),
    )
    db.commit()
    with pytest.raises(VaultError, match=b):
        vault.document(b, why=WHY)


@pytest.mark.parametrize("column", ["batch", "format", "content_mac"])
def test_a_document_given_another_batch_or_format_is_refused(vault, put, tmp_path, column):
    _, document, _ = put(vault)
    db = sqlite3.connect(tmp_path / "vault" / "vault.db")
    db.execute(f"UPDATE documents SET {column} = 'b2'")
    db.commit()
    with pytest.raises(VaultError, match=document):
        vault.document(document, why=WHY)


def test_a_wrong_key_is_refused_at_the_door(vault, put, tmp_path):
    put(vault)
    with pytest.raises(VaultError, match="master key"):
        Vault(tmp_path / "vault", bytes(32))


def test_an_erased_patient_is_gone_and_stays_away(vault, put):
    ref, document, _ = put(vault)
    assert vault.erase_patient(ref) == 1
    with pytest.raises(VaultError):
        vault.document(document, why=WHY)
    assert vault.record(ref, why=WHY) is None
    assert vault.erased_patients() == {ref}
    assert vault.find_patient("M-77") == ref
    with pytest.raises(VaultError, match="patient-erased"):
        put(vault)
    assert vault.erase_patient(ref) == 0


@pytest.mark.parametrize("seed", range(4))
def test_no_byte_of_an_erased_key_stays_in_the_files(vault, put, stored, tmp_path, seed):
    """With rows that grow and move between pages, as they do when records are merged: SQLite leaves copies then."""
    chance = random.Random(seed)
    refs = [put(vault, patient=str(n), text=f"Note {n}.")[0] for n in range(300)]
    for n in chance.choices(range(300), k=400):
        with vault.transaction():
            facts = {"patient_id": str(n), "addresses": [f"{n} Street " + "y" * chance.randrange(900)]}
            vault.put_record(PatientRecord.from_mapping(facts))
    db = sqlite3.connect(tmp_path / "vault" / "vault.db")
    keys = dict(db.execute("SELECT patient_ref, wrapped_key FROM patients"))
    db.close()
    erased = chance.sample(refs, 40)
    for ref in erased:
        vault.erase_patient(ref)
        assert keys[ref] not in stored(tmp_path / "vault")
    lying = stored(tmp_path / "vault")
    assert [ref for ref in erased if keys[ref] in lying] == []
    assert all(keys[ref] in lying for ref in refs if ref not in erased)


def test_erasure_says_when_another_process_keeps_the_key_on_the_disk(tmp_path, put, monkeypatch):
    monkeypatch.setattr("preceptor.vault.database._PATIENCE", 0.1)
    vault = Vault(tmp_path / "vault", KEY)
    ref, _, _ = put(vault)
    reader = sqlite3.connect(tmp_path / "vault" / "vault.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM patients").fetchone()
    with pytest.raises(VaultError, match="Erase again"):
        vault.erase_patient(ref)
    reader.execute("COMMIT")
    assert vault.erase_patient(ref) == 0
    vault.close()


def test_a_transaction_that_fails_leaves_nothing(vault):
    with pytest.raises(RuntimeError), vault.transaction():
        vault.put_record(PatientRecord.from_mapping({"patient_id": "9", "name": NAME}))
        raise RuntimeError
    assert vault.find_patient("9") is None


def test_a_lost_key_is_an_error_and_not_a_new_key(workspace):
    key = master_key(workspace)
    Vault(workspace.vault, key).close()
    assert stat.S_IMODE((workspace.keys / "master.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(workspace.keys.stat().st_mode) == 0o700
    (workspace.keys / "master.key").unlink()
    with pytest.raises(Exception, match="master key is gone"):
        master_key(workspace)


def test_references_do_not_depend_on_the_machine_but_on_the_key(tmp_path):
    refs = [
        Vault(tmp_path / str(i), key).patient_ref("77") for i, key in enumerate((KEY, KEY, os.urandom(32)))
    ]
    assert refs[0] == refs[1] != refs[2]
