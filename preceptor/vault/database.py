"""A SQLite file that only its owner may read, with a write-ahead log."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PATIENCE = 60.0  # seconds that one process waits for another's transaction
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)  # primary codes, the low byte of an error's


def connect(path: Path, any_thread: bool = False) -> sqlite3.Connection:
    """Open the file, making it if it is not there. SQLite gives its -wal and -shm the same mode.

    `any_thread`: other threads may use it too; the caller keeps them apart.
    """
    if not path.exists():
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
    db = sqlite3.connect(path, isolation_level=None, timeout=_PATIENCE, check_same_thread=not any_thread)
    try:
        _use_write_ahead_log(db)
    except BaseException:
        db.close()
        raise
    return db


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All writes inside happen together or not at all; one process at a time is inside, the others wait."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        # After some errors, a full disk among them, SQLite has rolled back by itself, and a second time is an error of its own.
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def _use_write_ahead_log(db: sqlite3.Connection) -> None:
    """Switch to WAL; of several processes that open a new file, all but one are told that it is locked, at once."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            db.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            # Whatever else is wrong, a full disk above all, does not pass by waiting.
            if error.sqlite_errorcode & 0xFF not in _BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
