from __future__ import annotations

import shutil
import sqlite3

import pytest

from preceptor.vault import Vault, VaultError, store
from preceptor.vault.audit import HEAD

KEY = bytes(range(32))


def entries(vault, **query):
    return list(vault.audit.entries(**query))


def tamper(folder, statement, *values):
    """Edit the log as somebody who has the file, but no key and no respect for triggers."""
    db = sqlite3.connect(folder / "audit.db")
    db.executescript("DROP TRIGGER audit_stays; DROP TRIGGER audit_remains;")
    db.execute(statement, values)
    db.commit()
    db.close()


@pytest.fixture
def busy(vault, put):
    """A vault with five entries."""
    ref, document, _ = put(vault)
    put(vault, patient="78", text="Another.")
    list(vault.documents("b1", why="de-identification"))
    vault.document(document, why="leak check")
    vault.record(ref, why="complaint 12")
    vault.note("wrote", "intake", "b1", {"accepted": 2})
    vault.erase_patient(ref, why="request of the patient")
    return vault, ref, document


def test_every_reading_says_who_what_and_why(busy, monkeypatch):
    vault, ref, document = busy
    found = entries(vault)
    assert [(e.action, e.purpose) for e in found] == [
        ("read", "de-identification"),
        ("read", "leak check"),
        ("read-record", "complaint 12"),
        ("wrote", "intake"),
        ("erased", "request of the patient"),
    ]
    assert len(found[0].refs) == 2
    assert found[1].refs == found[4].refs == (document,)
    assert found[2].refs == (ref,)
    assert found[3].details == {"accepted": 2}
    assert all(e.actor for e in found)
    monkeypatch.setenv("PRECEPTOR_ACTOR", "dr.ana")
    vault.record(ref, why="x")
    assert entries(vault)[-1].actor == "dr.ana"


def test_no_reading_without_a_why(vault, put):
    ref, document, _ = put(vault)
    for read in (vault.document, vault.record):
        with pytest.raises(TypeError):
            read(ref)
    with pytest.raises(ValueError, match="why"):
        vault.document(document, why=" ")
    with pytest.raises(ValueError, match="no action"):
        vault.note("looked", "curiosity")


def test_a_document_is_in_the_log_before_it_is_handed_out(vault, put):
    for n in range(501):
        put(vault, text=f"Note {n}")
    reading = vault.documents("b1", why="a look")
    assert entries(vault) == []
    first = next(reading)
    assert first.document_ref in entries(vault)[0].refs
    assert [len(e.refs) for e in entries(vault)] == [500, 1]
    list(reading)
    assert [len(e.refs) for e in entries(vault)] == [500, 1]


def test_a_long_batch_is_recorded_as_far_as_it_is_read(vault, put, monkeypatch):
    monkeypatch.setattr(store, "_READ_AHEAD", 2)
    for n in range(3):
        put(vault, text=f"Note {n}")
    reading = vault.documents("b1", why="a look")
    recorded = []
    for document in reading:
        recorded.append([len(e.refs) for e in entries(vault)])
        assert document.document_ref in {ref for e in entries(vault) for ref in e.refs}
    assert recorded == [[2], [2], [2, 1]]


def test_a_reading_that_is_refused_is_in_the_log_and_no_name_gets_into_it(vault):
    with pytest.raises(VaultError):
        vault.document("d-0123456789abcdef", why="a look")
    with pytest.raises(VaultError):
        vault.document("Wilhelmina", why="a look")
    assert [(e.action, e.subject) for e in entries(vault)] == [
        ("refused", "d-0123456789abcdef"),
        ("refused", "unknown"),
    ]


def test_a_reading_stays_in_the_log_though_the_transaction_around_it_fails(vault, put):
    _, document, _ = put(vault)
    with pytest.raises(RuntimeError), vault.transaction():
        vault.document(document, why="a look")
        raise RuntimeError
    assert len(entries(vault)) == 1


def test_a_reader_does_not_wait_for_an_intake_that_holds_the_lock(vault, put, tmp_path):
    put(vault)
    other = Vault(tmp_path / "vault", KEY)
    with vault.transaction():
        put_nothing = [d.text for d in other.documents("b1", why="de-identification")]
    other.close()
    assert len(put_nothing) == 1


def test_what_concerns_a_patient_is_found_after_erasure_too(busy):
    vault, ref, _ = busy
    about = entries(vault, about=vault.refs_of(ref))
    assert [e.action for e in about] == ["read", "read", "read-record", "erased"]
    assert entries(vault, since="2999-01-01") == []


def test_the_log_is_append_only(busy, tmp_path):
    db = sqlite3.connect(tmp_path / "vault" / "audit.db")
    with pytest.raises(sqlite3.IntegrityError, match="never changed"):
        db.execute("UPDATE audit SET actor = 'nobody' WHERE seq = 2")
    with pytest.raises(sqlite3.IntegrityError, match="never removed"):
        db.execute("DELETE FROM audit WHERE seq = 2")


def test_an_untouched_log_verifies(busy):
    assert busy[0].audit.verify() == []


@pytest.mark.parametrize("column", ["at", "actor", "action", "purpose", "subject", "details"])
def test_one_changed_word_is_found_and_its_entry_named(busy, tmp_path, column):
    tamper(tmp_path / "vault", f"UPDATE audit SET {column} = {column} || '~' WHERE seq = 2")
    assert [(p.where, p.rule) for p in busy[0].audit.verify()] == [("audit entry 2", "audit-hash")]


def test_one_flipped_bit_of_what_was_read_is_found(busy, tmp_path):
    vault = busy[0]
    refs = bytearray(b"d" + bytes.fromhex(busy[2][2:]))
    refs[3] ^= 1
    tamper(tmp_path / "vault", "UPDATE audit SET refs = ? WHERE seq = 2", bytes(refs))
    assert [p.where for p in vault.audit.verify()] == ["audit entry 2"]


def test_a_removed_entry_is_found(busy, tmp_path):
    tamper(tmp_path / "vault", "DELETE FROM audit WHERE seq = 2")
    assert [(p.where, p.rule) for p in busy[0].audit.verify()] == [("audit entry 3", "audit-sequence")]


def test_a_removed_entry_is_found_though_the_rest_is_renumbered(busy, tmp_path):
    tamper(tmp_path / "vault", "DELETE FROM audit WHERE seq = 2")
    db = sqlite3.connect(tmp_path / "vault" / "audit.db")
    db.execute("UPDATE audit SET seq = seq - 1 WHERE seq > 2")
    db.commit()
    db.close()
    assert ("audit entry 2", "audit-hash") in [(p.where, p.rule) for p in busy[0].audit.verify()]


def test_a_cut_off_end_is_found_and_stays_on_record(busy, tmp_path):
    vault, ref, _ = busy
    tamper(tmp_path / "vault", "DELETE FROM audit WHERE seq > 3")
    assert [(p.where, p.rule) for p in vault.audit.verify()] == [("audit head", "audit-cut-off")]
    vault.record(ref, why="going on")
    assert [(p.where, p.rule) for p in vault.audit.verify()] == [("audit entry 4", "audit-cut-off")]


@pytest.mark.parametrize("damage", ["remove", "change"])
def test_a_head_that_was_removed_or_changed_is_found(busy, tmp_path, damage):
    head = tmp_path / "vault" / HEAD
    head.unlink() if damage == "remove" else head.write_text(head.read_text().replace('"seq": 5', '"seq": 4'))
    assert [p.where for p in busy[0].audit.verify()] == ["audit head"]


@pytest.mark.parametrize("with_head", [True, False])
def test_a_log_that_was_removed_whole_is_found(busy, tmp_path, with_head):
    busy[0].close()
    for path in (tmp_path / "vault").glob("audit*"):
        if with_head or path.name != HEAD:
            path.unlink()
    vault = Vault(tmp_path / "vault", KEY)
    assert "log-missing" in [p.rule for p in vault.audit.verify()]
    vault.close()


def test_an_older_state_of_log_and_head_is_told_by_a_head_that_was_kept(busy, tmp_path):
    """What the log alone cannot see: whoever prints the head can."""
    vault = busy[0]
    shutil.copytree(tmp_path / "vault", tmp_path / "older")
    vault.note("wrote", "intake", "b2")
    kept = vault.audit.head()
    vault.close()
    shutil.rmtree(tmp_path / "vault")
    shutil.move(tmp_path / "older", tmp_path / "vault")
    vault = Vault(tmp_path / "vault", KEY)
    assert vault.audit.verify() == []
    assert vault.audit.head()[0] < kept[0]
    vault.close()
