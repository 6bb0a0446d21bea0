"""What the review app keeps: sessions, failed sign-ins, comparisons and judgements. References and numbers, no text."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from preceptor.private_files import make_private_folder
from preceptor.review.opened import Opened
from preceptor.vault.database import connect, transaction
from preceptor.vault.schema import Schema

_SCHEMA = Schema(
    "the review database",
    """
CREATE TABLE IF NOT EXISTS sessions (
    token_hash TEXT PRIMARY KEY, name TEXT NOT NULL, begun REAL NOT NULL, seen REAL NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS failures (name_mac TEXT NOT NULL, at REAL NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS failures_by_name ON failures (name_mac, at);
CREATE TABLE IF NOT EXISTS comparisons (
    id TEXT PRIMARY KEY, evaluation TEXT NOT NULL, first TEXT NOT NULL, second TEXT NOT NULL, made_by TEXT NOT NULL,
    made_at TEXT NOT NULL, closed_at TEXT) STRICT;
CREATE TABLE IF NOT EXISTS cases (
    comparison TEXT NOT NULL, case_id TEXT NOT NULL, wanted INTEGER NOT NULL, PRIMARY KEY (comparison, case_id)) STRICT;
CREATE TABLE IF NOT EXISTS claims (
    comparison TEXT NOT NULL, case_id TEXT NOT NULL, reviewer TEXT NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (comparison, case_id, reviewer)) STRICT;
CREATE TABLE IF NOT EXISTS judgements (
    id INTEGER PRIMARY KEY, comparison TEXT NOT NULL, case_id TEXT NOT NULL, reviewer TEXT NOT NULL, at TEXT NOT NULL,
    preference INTEGER NOT NULL, ratings TEXT NOT NULL, undone_at TEXT) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS one_judgement ON judgements (comparison, case_id, reviewer) WHERE undone_at IS NULL;
""",
)
# Whom SQLite makes wait sleeps and tries again, in no order, so that some wait for seconds; threads of this process queue here instead.
_turn = threading.Lock()
_connections: Opened[sqlite3.Connection] = Opened()


def prepare(folder: Path) -> Path:
    """Make the database, private to its owner, unless it is there, and return its file."""
    make_private_folder(folder)
    path = folder / "review.db"
    db = connect(path)
    try:
        _SCHEMA.prepare(db)
    finally:
        db.close()
    return path


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """This thread's connection."""
    yield _connections.of(path, lambda: _connect(path))


@contextmanager
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """All writes inside are on the disk at the end, or none is."""
    with reading(path) as db, _turn, transaction(db):
        yield db


def _connect(path: Path) -> sqlite3.Connection:
    db = connect(path)
    db.execute("PRAGMA synchronous=FULL")
    return db
