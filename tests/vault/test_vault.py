from __future__ import annotations

import os
import sqlite3
import stat

import pytest

from preceptor.keys import master_key
from preceptor.records import Labels, PatientRecord
from preceptor.settings import Workspace
from preceptor.vault import Vault, VaultError

KEY = bytes(range(32))
NAME = "Wilhelmina Quackenbush"


@pytest.fixture
def vault(tmp_path):
    opened = Vault(tmp_path / "vault", KEY)
    yield opened
    opened.close()


def put(vault, patient="77", text=f"{NAME} has a cough.", batch="b1", file_name="a.txt"):
    with vault.transaction():
        ref = vault.put_record(
            PatientRecord.from_mapping({"patient_id": patient, "name": NAME, "mrn": f"M-{patient}"})
        )
        document, new = vault.put_document(
            ref,
            batch,
            text=text,
            note_type="clinic note",
            specialty="general",
            encounter=None,
            format="text",
            file_name=file_name,
            labels=Labels(codes={"R05.9": ["cough"]}),
        )
    return ref, document, new


def all_bytes(folder):
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_what_was_put_in_comes_out_whole(vault):
    _, document, _ = put(vault)
    found = vault.document(document)
    assert found.text == f"{NAME} has a cough."
    assert found.labels.codes == {"R05.9": ["cough"]}
    assert vault.record(found.patient_ref).names == (NAME,)


def test_nothing_readable_lies_on_the_disk(vault, tmp_path):
    put(vault, file_name="quackenbush.txt")
    stored = all_bytes(tmp_path / "vault").lower()
    assert b"quackenbush" not in stored
    assert b"cough" not in stored
    assert b"m-77" not in stored


def test_files_are_closed_to_others(vault, tmp_path):
    put(vault)
    assert stat.S_IMODE((tmp_path / "vault").stat().st_mode) == 0o700
    assert all(stat.S_IMODE(p.stat().st_mode) == 0o600 for p in (tmp_path / "vault").iterdir())


def test_the_same_text_of_a_patient_is_one_document(vault):
    first = put(vault)
    again = put(vault, text=f"{NAME}  has a cough.\n", file_name="b.pdf")
    assert (again[1], again[2]) == (first[1], False)
    assert put(vault, patient="78")[2]


def test_a_patient_is_found_by_id_or_mrn_however_punctuated(vault):
    ref, _, _ = put(vault)
    assert vault.find_patient("77") == vault.find_patient("m77") == ref
    with vault.transaction():
        assert vault.put_record(PatientRecord.from_mapping({"mrn": "M 77", "phone": "555-0100"})) == ref
    assert vault.record(ref).phones == ("555-0100",)
    assert vault.find_patient("79") is None


def test_a_flipped_bit_is_detected_and_named(vault, tmp_path):
    _, document, _ = put(vault)
    db = sqlite3.connect(tmp_path / "vault" / "vault.db")
    sealed = bytearray(db.execute("SELECT sealed FROM documents").fetchone()[0])
    sealed[40] ^= 1
    db.execute("UPDATE documents SET sealed = ?", (bytes(sealed),))
    db.commit()
    with pytest.raises(VaultError, match=document):
        vault.document(document)


def test_a_value_moved_to_another_row_is_refused(vault, tmp_path):
    _, a, _ = put(vault)
    _, b, _ = put(vault, text="Another note.")
    db = sqlite3.connect(tmp_path / "vault" / "vault.db")
    db.execute(
        "UPDATE documents SET sealed = (SELECT sealed FROM documents WHERE document_ref = ?) WHERE document_ref = ?",
        (a, b),
    )
    db.commit()
    with pytest.raises(VaultError, match=b):
        vault.document(b)


def test_a_wrong_key_is_refused_at_the_door(vault, tmp_path):
    put(vault)
    with pytest.raises(VaultError, match="master key"):
        Vault(tmp_path / "vault", bytes(32))


def test_an_erased_patient_is_gone_and_stays_away(vault, tmp_path):
    ref, document, _ = put(vault)
    assert vault.erase_patient(ref) == 1
    with pytest.raises(VaultError):
        vault.document(document)
    assert vault.record(ref) is None
    assert vault.erased_patients() == {ref}
    with pytest.raises(VaultError, match="patient-erased"):
        put(vault)


def test_a_transaction_that_fails_leaves_nothing(vault):
    with pytest.raises(RuntimeError), vault.transaction():
        vault.put_record(PatientRecord.from_mapping({"patient_id": "9", "name": NAME}))
        raise RuntimeError
    assert vault.find_patient("9") is None


def test_a_lost_key_is_an_error_and_not_a_new_key(tmp_path, monkeypatch):
    monkeypatch.delenv("PRECEPTOR_MASTER_KEY", raising=False)
    workspace = Workspace(tmp_path)
    key = master_key(workspace)
    Vault(workspace.vault, key).close()
    assert stat.S_IMODE((workspace.keys / "master.key").stat().st_mode) == 0o600
    (workspace.keys / "master.key").unlink()
    with pytest.raises(Exception, match="master key is gone"):
        master_key(workspace)


def test_references_do_not_depend_on_the_machine_but_on_the_key(tmp_path):
    refs = [
        Vault(tmp_path / str(i), key).patient_ref("77") for i, key in enumerate((KEY, KEY, os.urandom(32)))
    ]
    assert refs[0] == refs[1] != refs[2]
