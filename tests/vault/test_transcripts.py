"""What production was asked and answered: an erasure destroys the key, not only the rows."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from preceptor.vault.errors import VaultError
from preceptor.vault.transcripts import DATABASE, Transcript


def rows_of(vault, table: str) -> list[tuple]:
    db = sqlite3.connect(vault.folder / DATABASE)
    found = db.execute(f"SELECT * FROM {table}").fetchall()
    db.close()
    return found


def test_an_erased_patients_key_is_in_no_byte_and_a_copy_of_the_rows_does_not_open(vault):
    kept = vault.transcripts()
    assert kept.put(Transcript("r-1", "m/1", "prompt one", "answer one"), "p-1")
    assert kept.put(Transcript("r-2", "m/1", "prompt two", "answer two"), "p-2")
    before = dict(rows_of(vault, "keys"))
    (copy,) = [row for row in rows_of(vault, "transcripts") if row[0] == "r-1"]
    assert kept.erase("p-1") == 1
    kept.close()
    assert [holder for holder, _ in rows_of(vault, "keys")] == ["p-2"]
    for path in vault.folder.glob(f"{DATABASE}*"):
        assert before["p-1"] not in path.read_bytes(), path
    db = sqlite3.connect(vault.folder / DATABASE)
    db.execute("INSERT INTO transcripts VALUES (?, ?, ?, ?)", copy)
    db.commit()
    db.close()
    again = vault.transcripts()
    with pytest.raises(VaultError, match="no key"):
        again.find("r-1")
    assert [problem.where for problem in again.verify()] == ["r-1"]
    assert again.find("r-2") == (Transcript("r-2", "m/1", "prompt two", "answer two"), "p-2")
    assert not again.put(Transcript("r-3", "m/1", "prompt", "answer"), "p-1")  # erased stays erased
    again.close()


def test_what_has_no_patient_goes_with_its_day(vault):
    kept = vault.transcripts()
    kept.put(Transcript("r-1", "m/1", "prompt", "answer"))
    today = datetime.now(UTC).date()
    assert kept.discard_before(today) == 0
    assert kept.discard_before(today + timedelta(days=1)) == 1
    kept.close()
    assert rows_of(vault, "keys") == rows_of(vault, "transcripts") == []


@pytest.mark.parametrize(
    "deed", [lambda kept: kept.erase("p-1"), lambda kept: kept.discard_before(datetime.now(UTC).date())]
)
def test_a_deed_that_fails_in_the_middle_has_not_been_and_the_next_one_is_done(vault, monkeypatch, deed):
    kept = vault.transcripts()
    kept.put(Transcript("r-1", "m/1", "prompt one", "answer one"), "p-1")
    with monkeypatch.context() as broken:
        broken.setattr(kept, "_rebuild_keys", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            deed(kept)
    assert kept.find("r-1") is not None
    assert kept.put(Transcript("r-2", "m/1", "prompt two", "answer two"), "p-2") and kept.erase("p-1") == 1
    kept.close()
