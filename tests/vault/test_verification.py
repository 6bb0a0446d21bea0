from __future__ import annotations

import sqlite3

import pytest

from preceptor.vault.verification import verify

ROWS = {
    "document": ("documents", "sealed", "document_ref"),
    "record": ("patients", "record", "patient_ref"),
    "key": ("patients", "wrapped_key", "patient_ref"),
    "quarantine": ("quarantine", "sealed", "file_mac"),
}


@pytest.fixture
def full(vault, put):
    for patient in ("77", "78"):
        put(vault, patient=patient)
    for mac in ("a" * 64, "b" * 64):
        vault.put_quarantined(mac, "b1", "pdf-corrupt", "scan.pdf", b"%PDF-")
    return vault


def test_a_sound_vault_has_no_problem_and_the_check_is_on_record(full):
    assert verify(full) == []
    assert [e.action for e in full.audit.entries()] == ["verified"]


@pytest.mark.parametrize("at", [0, 5, 20, -1])
@pytest.mark.parametrize("kind", ROWS)
def test_a_flipped_bit_is_found_and_its_row_named(full, tmp_path, kind, at):
    table, column, name = ROWS[kind]
    db = sqlite3.connect(tmp_path / "vault" / "vault.db")
    ref, value = db.execute(f"SELECT {name}, {column} FROM {table} ORDER BY 1 DESC LIMIT 1").fetchone()
    changed = bytearray(value)
    changed[at] ^= 1
    db.execute(f"UPDATE {table} SET {column} = ? WHERE {name} = ?", (bytes(changed), ref))
    db.commit()
    found = verify(full)
    assert (ref, kind) in [(p.where, p.rule) for p in found]
    # A damaged key takes the patient's record and document with it; anything else is damaged alone.
    assert len(found) == (3 if kind == "key" else 1)
    assert not any("Quackenbush" in p.text for p in found)


def test_keys_of_two_patients_that_changed_places_are_found(full, tmp_path):
    db = sqlite3.connect(tmp_path / "vault" / "vault.db")
    (a, key_a), (b, key_b) = db.execute("SELECT patient_ref, wrapped_key FROM patients").fetchall()
    db.executemany("UPDATE patients SET wrapped_key = ? WHERE patient_ref = ?", [(key_b, a), (key_a, b)])
    db.commit()
    assert {p.where for p in verify(full)} >= {a, b}


def test_an_erased_patient_who_was_given_a_key_again_is_found(full, tmp_path):
    ref = full.find_patient("77")
    db = sqlite3.connect(tmp_path / "vault" / "vault.db")
    (key,) = db.execute("SELECT wrapped_key FROM patients WHERE patient_ref = ?", (ref,)).fetchone()
    full.erase_patient(ref)
    db.execute("UPDATE patients SET wrapped_key = ? WHERE patient_ref = ?", (key, ref))
    db.commit()
    assert [(p.where, p.rule) for p in verify(full)] == [(ref, "erased-with-key")]


def test_a_file_open_to_others_is_named(full, tmp_path):
    (tmp_path / "vault" / "vault.db").chmod(0o644)
    assert [(p.where, p.rule) for p in verify(full)] == [("vault.db", "mode")]
