from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat

import pytest

from preceptor.errors import UsageError
from preceptor.release import blinded, users
from preceptor.release import store as store_module
from preceptor.release.chain import SIGNED_KINDS, RecordBroken
from preceptor.release.store import Store

from .conftest import KEY, PASSWORD


def tamper(store: Store, statement: str, *values) -> None:
    """Edit the file as somebody with the file, without the key and without respect for triggers."""
    with sqlite3.connect(store.folder / "release.db") as db:
        db.executescript("DROP TRIGGER IF EXISTS events_stay; DROP TRIGGER IF EXISTS events_remain;")
        db.execute(statement, values)
    db.close()


@pytest.fixture(scope="module")
def folder(staffed_folder, tmp_path_factory):
    """Events 1 to 4 added the staff; 5 is signed by ana, 6 and 7 are unsigned."""
    copy = tmp_path_factory.mktemp("record") / "release"
    shutil.copytree(staffed_folder, copy)
    made = Store(copy, KEY)
    signer = users.authenticate(made, "ana", PASSWORD)
    made.append("approved", "m/1", "ana", {"digest": "d1", "reason": "good"}, signer.sign)
    made.append("promoting", "m/1", "sensor", {"digest": "d1"})
    made.append("promoted", "m/1", "sensor", {"digest": "d1"})
    made.close()
    return copy


@pytest.fixture
def record(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "release")
    opened = Store(tmp_path / "release", KEY)
    yield opened
    opened.close()


def test_an_untouched_record_verifies(record):
    assert record.verify() == []
    assert [event.id for event in record.events()] == list(range(1, 8))


def test_a_clock_that_jumps_leaves_the_order_and_the_chain_whole(record, monkeypatch):
    """Ten years ahead, a day back, and right again: what was last is last, whatever its time says."""
    from datetime import datetime, timedelta

    for number, days in enumerate((3650, -1, 0)):

        class Clock(datetime):
            @classmethod
            def now(cls, tz=None, days=days):
                return datetime.now(tz) + timedelta(days=days)

        monkeypatch.setattr(store_module, "datetime", Clock)
        record.append("promoted", f"m/{number}", "sensor", {"digest": "d1"})
    assert record.verify() == []
    assert [event.subject for event in record.events()[-3:]] == ["m/0", "m/1", "m/2"]
    assert record.events()[-3].at > record.events()[-1].at > record.events()[-2].at


@pytest.mark.parametrize("column", ["at", "subject", "actor", "payload", "hash", "prev_hash"])
@pytest.mark.parametrize("row", [5, 6])
def test_one_changed_byte_is_found_and_its_row_named(record, column, row):
    tamper(
        record,
        f"UPDATE events SET {column} = replace({column}, substr({column}, 2, 1), '~') WHERE id = ?",
        row,
    )
    assert record.verify()[0].where == f"event {row}"
    with pytest.raises(RecordBroken, match=f"event {row}"):
        record.require_intact()


def test_a_changed_kind_and_a_changed_signature_are_found(record):
    tamper(record, "UPDATE events SET kind = 'rejected' WHERE id = 5")
    assert record.verify()[0].where == "event 5"
    tamper(record, "UPDATE events SET kind = 'approved', signature = zeroblob(64) WHERE id = 5")
    assert record.verify()[0].where == "event 5"


def test_a_row_taken_from_the_middle_is_found(record):
    tamper(record, "DELETE FROM events WHERE id = 6")
    assert (record.verify()[0].where, record.verify()[0].rule) == ("event 7", "sequence")


def test_a_cut_off_end_is_found_and_nothing_can_be_written_over_it(record):
    tamper(record, "DELETE FROM events WHERE id = 7")
    assert [problem.rule for problem in record.verify()] == ["cut-off"]
    with pytest.raises(RecordBroken, match="event 7"):
        record.append("barred", "m/1", "test", {})


def test_a_lost_or_edited_head_is_found(record):
    head = record.folder / "head.json"
    whole = head.read_text()
    head.write_text(json.dumps(json.loads(whole) | {"id": 6}))
    assert [problem.rule for problem in record.verify()] == ["head-changed"]
    head.unlink()
    assert [problem.rule for problem in record.verify()] == ["head-missing"]
    head.write_text(whole)
    assert record.verify() == []


def test_a_kill_between_commit_and_head_is_no_tampering(record):
    behind = (record.folder / "head.json").read_text()
    record.append("barred", "m/1", "test", {"reason": "x"})
    (record.folder / "head.json").write_text(behind)
    assert record.verify() == []
    record.append("barred", "m/2", "test", {"reason": "x"})
    assert record.verify() == []


@pytest.mark.parametrize("kind", sorted(SIGNED_KINDS))
def test_an_approval_written_by_the_holder_of_the_master_key_has_no_signature(record, kind):
    record.append(kind, "m/2", "ana", {"digest": "d2"})
    assert [(p.where, p.rule) for p in record.verify()] == [("event 8", "signature")]


def test_a_signature_of_another_person_does_not_count(record):
    record.append(
        "approved", "m/2", "ana", {"digest": "d2"}, users.authenticate(record, "ben", PASSWORD).sign
    )
    assert [p.rule for p in record.verify()] == ["signature"]


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE users SET role = 'admin' WHERE name = 'ana'",
        "UPDATE users SET public_key = zeroblob(32) WHERE name = 'ana'",
        "UPDATE users SET disabled = 1 WHERE name = 'ana'",
        "DELETE FROM users WHERE name = 'ana'",
        "INSERT INTO users SELECT 'eve', role, password_hash, public_key, key_salt, sealed_key, 0, added_at"
        " FROM users WHERE name = 'ana'",
    ],
)
def test_an_edited_users_table_is_found(record, edit):
    tamper(record, edit)
    assert record.verify()[0].where in ("user ana", "user eve")


def test_another_master_key_verifies_nothing(record):
    other = Store(record.folder, bytes(32))
    assert other.verify()[0].where == "event 1"
    other.close()


def test_events_cannot_be_changed_or_removed_by_sql(record):
    db = sqlite3.connect(record.folder / "release.db")
    for statement in ("UPDATE events SET actor = 'x' WHERE id = 1", "DELETE FROM events WHERE id = 7"):
        with pytest.raises(sqlite3.IntegrityError, match="never"):
            db.execute(statement)
    db.close()


def test_only_the_owner_may_read_the_files(record):
    for path in record.folder.glob("release.db*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name
    assert stat.S_IMODE(os.stat(record.folder).st_mode) == 0o700


def test_a_failed_transaction_leaves_nothing(record):
    with pytest.raises(UsageError):
        users.add(record, "ana", "approver", PASSWORD, actor="operator:test")
    assert len(record.events()) == 7 and record.verify() == []


def test_no_password_or_private_key_is_in_any_file(record):
    for path in record.folder.iterdir():
        assert PASSWORD.encode() not in path.read_bytes()


@pytest.mark.parametrize("kind", ["deid_reviewed", "deid_signed"])
def test_a_review_that_nobody_signed_is_a_problem(store, kind):
    store.append(kind, "d-1", "ana", {})
    assert [problem.rule for problem in store.verify()] == ["signature"]


def test_what_a_comparison_found_is_written_down_once(store):
    for found in ({"judgements": 3}, {"judgements": 4}):
        blinded.record(store, "e-1", "c-1", ("finetuned", "base"), found, "ana")
    blinded.record(store, "e-1", "c-2", ("rag", "base"), {"judgements": 9}, "ana")
    assert [each["comparison"] for each in blinded.of_evaluation(store, "e-1")] == ["c-1", "c-2"]
    assert blinded.recorded(store, "e-1", "c-1") == {"judgements": 3}
    assert blinded.recorded(store, "e-2", "c-1") is None and store.verify() == []
