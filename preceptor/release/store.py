"""The release store: people, and the append-only record of all that was decided about model versions and data sets."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from preceptor.keys import release_key
from preceptor.release import chain
from preceptor.release.chain import Event, Problem, RecordBroken
from preceptor.settings import VaultSettings, Workspace
from preceptor.vault.database import transaction
from preceptor.vault.schema import Schema, statements
from preceptor.versions import write_atomic

ROLES = ("reviewer", "approver", "privacy", "admin")
KINDS = (
    "registered",
    "approved",
    "rejected",
    "promoting",
    "promoted",
    "rolling_back",
    "rolled_back",
    "gate_refused",
    "barred",
    "user_added",
    "user_disabled",
    "deid_reviewed",
    "deid_signed",
    "example_reviewed",
    "provider_approved",
    "version_reviewed",
    "serving_verified",
    "serving_unverified",
    "alarm_raised",
    "alarm_cleared",
    "comparison_closed",
)
_TABLES = f"""
CREATE TABLE IF NOT EXISTS users (
    name TEXT PRIMARY KEY, role TEXT NOT NULL CHECK (role IN {ROLES!r}), password_hash TEXT NOT NULL,
    public_key BLOB NOT NULL, key_salt BLOB NOT NULL, sealed_key BLOB NOT NULL,
    disabled INTEGER NOT NULL DEFAULT 0, added_at TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY, at TEXT NOT NULL, kind TEXT NOT NULL CHECK (kind IN {KINDS!r}),
    subject TEXT NOT NULL, actor TEXT NOT NULL, payload TEXT NOT NULL, prev_hash TEXT NOT NULL,
    hash TEXT NOT NULL, signature BLOB) STRICT;
CREATE INDEX IF NOT EXISTS events_by_subject ON events (subject, kind);
CREATE TRIGGER IF NOT EXISTS events_stay BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;
CREATE TRIGGER IF NOT EXISTS events_remain BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, 'events are never removed'); END;
"""


def _take_more_kinds(db: sqlite3.Connection) -> None:
    """A record takes the kinds that there were when it was begun: its rows move to a table that takes all."""
    db.execute("ALTER TABLE events RENAME TO events_before")
    for statement in ("TRIGGER events_stay", "TRIGGER events_remain", "INDEX events_by_subject"):
        db.execute(f"DROP {statement}")
    for statement in statements(_TABLES):
        db.execute(statement)
    db.execute("INSERT INTO events SELECT * FROM events_before ORDER BY id")
    db.execute("DROP TABLE events_before")


# With every new kind comes another of this step.
_SCHEMA = Schema("the release record", _TABLES, (_take_more_kinds,))
_COLUMNS = "id, at, kind, subject, actor, payload, prev_hash, hash, signature"


@dataclass(frozen=True, slots=True)
class UserRow:
    """A row of the users table, secrets included; only `preceptor.release.users` reads it."""

    name: str
    role: str
    password_hash: str
    public_key: bytes
    key_salt: bytes
    sealed_key: bytes
    disabled: bool
    added_at: str


class Store:
    """An open release store. Use `open_store`, or this class with a folder and a 32-byte chain key."""

    def __init__(self, folder: Path, key: bytes) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.folder = folder
        self._key = key
        self._head = folder / "head.json"
        path = folder / "release.db"
        if not path.exists():
            # The head comes first: a database without one has lost it.
            self._write_head(0, chain.GENESIS)
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        self._db = sqlite3.connect(path, isolation_level=None, timeout=60)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        _SCHEMA.prepare(self._db)

    def close(self) -> None:
        self._db.close()

    # writing

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All writes inside happen together or not at all."""
        with transaction(self._db):
            yield self._db
        self._advance_head()

    def append(
        self,
        kind: str,
        subject: str,
        actor: str,
        payload: dict[str, Any],
        sign: Callable[[bytes], bytes] | None = None,
    ) -> Event:
        """Write one event at the end of the chain and return it; joins the open transaction if there is one.

        `sign` gets the bytes to be signed and returns the signature.
        Raises `RecordBroken` if rows at the end of the chain have gone or were changed.
        """
        if not self._db.in_transaction:
            with self.transaction():
                return self.append(kind, subject, actor, payload, sign)
        self._check_head()
        last = self._db.execute("SELECT id, hash FROM events ORDER BY id DESC LIMIT 1").fetchone()
        last_id, prev_hash = last or (0, chain.GENESIS)
        at = datetime.now(UTC).isoformat(timespec="microseconds")
        text = chain.canonical(payload)
        signature = sign(chain.signed_bytes(at, kind, subject, actor, text, prev_hash)) if sign else None
        hashed = chain.event_hash(
            self._key,
            id=last_id + 1,
            at=at,
            kind=kind,
            subject=subject,
            actor=actor,
            payload_text=text,
            prev_hash=prev_hash,
            signature=signature,
        )
        event = Event(last_id + 1, at, kind, subject, actor, text, prev_hash, hashed, signature)
        self._db.execute(
            f"INSERT INTO events ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (event.id, at, kind, subject, actor, text, prev_hash, hashed, signature),
        )
        return event

    # reading

    def events(self, subject: str | None = None, kinds: tuple[str, ...] = (), since: int = 0) -> list[Event]:
        """The events after id `since`, oldest first: all, or those of one subject or of some kinds."""
        where: list[str] = ["id > ?"]
        values: list[Any] = [since]
        if subject is not None:
            where.append("subject = ?")
            values.append(subject)
        if kinds:
            where.append(f"kind IN ({', '.join('?' * len(kinds))})")
            values += kinds
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM events WHERE {' AND '.join(where)} ORDER BY id", values
        )
        return [Event(*row) for row in rows]

    def last_id(self) -> int:
        """The number of the last event; 0 if there is none."""
        (last,) = self._db.execute("SELECT coalesce(max(id), 0) FROM events").fetchone()
        return last

    def people(self) -> dict[str, chain.Person]:
        """Everybody as the chain knows them."""
        return chain.people(self.events(kinds=("user_added", "user_disabled")))

    def users(self) -> list[UserRow]:
        """All rows of the users table by name."""
        rows = self._db.execute(
            "SELECT name, role, password_hash, public_key, key_salt, sealed_key, disabled, added_at "
            "FROM users ORDER BY name"
        )
        return [
            UserRow(name, role, hashed, public, salt, sealed, bool(disabled), added_at)
            for name, role, hashed, public, salt, sealed, disabled, added_at in rows
        ]

    # checking

    def verify(self) -> list[Problem]:
        """Check chain, head, every signature and the users table; return what is wrong, else empty."""
        events = self.events()
        problems = chain.check(events, self._key)
        head = self._head_problem()
        if head:
            problems.append(head)
        if not problems:
            problems += self._check_users(chain.people(events))
        return problems

    def require_intact(self) -> None:
        """Raise `RecordBroken`, naming the first wrong row, unless `verify` finds nothing."""
        problems = self.verify()
        if problems:
            first = problems[0]
            raise RecordBroken(
                f"The release record in {self.folder} was changed from outside: {first.where}: {first.text} "
                f"(rule {first.rule}; {len(problems)} in all, see `preceptor release verify`). Restore it "
                "from a backup; until then nothing is signed, promoted or rolled back."
            )

    def _check_users(self, known: dict[str, chain.Person]) -> list[Problem]:
        problems = []
        rows = {user.name: user for user in self.users()}
        for name in sorted(known.keys() | rows.keys()):
            row, person = rows.get(name), known.get(name)
            where = f"user {name}"
            if row is None or person is None:
                missing = "the users table" if row is None else "the record"
                problems.append(Problem(where, "user-unknown", f"is missing in {missing}."))
            elif (row.role, row.public_key) != (person.role, person.public_key):
                problems.append(Problem(where, "user-changed", "has another role or key than was recorded."))
            elif row.disabled != (person.disabled_by is not None):
                problems.append(Problem(where, "user-changed", "is not enabled or disabled as recorded."))
        return problems

    # the head: how far the record had come, noted outside the database so that a cut-off end is seen

    def _write_head(self, id: int, hash: str) -> None:
        note = {"id": id, "hash": hash, "mac": chain.head_mac(self._key, id, hash)}
        write_atomic(self._head, json.dumps(note))

    def _advance_head(self) -> None:
        row = self._db.execute("SELECT id, hash FROM events ORDER BY id DESC LIMIT 1").fetchone()
        if row:
            self._write_head(*row)

    def _head_problem(self) -> Problem | None:
        """The note may lag behind (a kill after the commit), but never name an event that is not there."""
        if not self._head.exists():
            return Problem("head", "head-missing", f"{self._head.name} beside the database is gone.")
        try:
            note = json.loads(self._head.read_text())
            id, hash, mac = int(note["id"]), str(note["hash"]), str(note["mac"])
        except (ValueError, KeyError, TypeError):
            return Problem("head", "head-changed", f"{self._head.name} is not readable.")
        if mac != chain.head_mac(self._key, id, hash):
            return Problem("head", "head-changed", f"{self._head.name} was changed, or another master key.")
        row = self._db.execute("SELECT hash FROM events WHERE id = ?", (id,)).fetchone()
        if id and (row is None or row[0] != hash):
            return Problem("head", "cut-off", f"event {id} was recorded and is no longer there.")
        return None

    def _check_head(self) -> None:
        problem = self._head_problem()
        if problem:
            raise RecordBroken(
                f"The release record in {self.folder} was changed from outside: {problem.text} "
                f"(rule {problem.rule}). Restore the folder from a backup; nothing was written."
            )


def open_store(workspace: Workspace, settings: VaultSettings | None = None) -> Store:
    """Open the workspace's release store, making it if it is not there."""
    return Store(workspace.release, release_key(workspace, settings))
