"""The audit log: who read what, and why. Append-only, hash-chained, in a database of its own.

Every entry carries an HMAC-SHA-256 of its content and of the hash of the entry before it, under a key of the keyring:
whoever edits the file without that key can neither change an entry, nor insert or remove one. How far the log had
come is noted beside it (`audit-head.json`), so that a cut-off end is noticed too; print the head and keep it elsewhere
(`preceptor vault verify`) against somebody who puts back an older state of both.

It is not in vault.db because intake holds that file's write lock for most of its run: a reader would wait for it.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import pwd
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from preceptor.private_files import create_private
from preceptor.vault.database import connect, transaction
from preceptor.vault.errors import Problem
from preceptor.vault.schema import Schema

ACTIONS = (
    "read",
    "read-record",
    "refused",
    "sent",
    "wrote",
    "quarantined",
    "erased",
    "rotated",
    "verified",
    "damaged",
    "signed-in",
)
DATABASE, HEAD = "audit.db", "audit-head.json"
REFS_PER_ENTRY = 500
_HEAD_BYTES = 256
_GENESIS = bytes(32)
_REF = re.compile(r"([dp])-([0-9a-f]{16})")
_SCHEMA = Schema(
    "the vault's audit log",
    """
CREATE TABLE IF NOT EXISTS audit (
    seq INTEGER PRIMARY KEY, at TEXT NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL, purpose TEXT NOT NULL,
    subject TEXT NOT NULL, details TEXT NOT NULL, refs BLOB NOT NULL, hash BLOB NOT NULL) STRICT;
CREATE TRIGGER IF NOT EXISTS audit_stays BEFORE UPDATE ON audit
    BEGIN SELECT RAISE(ABORT, 'entries of the audit log are never changed'); END;
CREATE TRIGGER IF NOT EXISTS audit_remains BEFORE DELETE ON audit
    BEGIN SELECT RAISE(ABORT, 'entries of the audit log are never removed'); END;
""",
)
_COLUMNS = "seq, at, actor, action, purpose, subject, details, refs"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. `subject` is a batch or a patient reference, `refs` the documents or patients that it is about."""

    seq: int
    at: str
    actor: str
    action: str
    purpose: str
    subject: str
    details: dict[str, Any]
    refs: tuple[str, ...]


class AuditLog:
    """An open log. `expected` says that there was one, so that a missing file is a loss and not a beginning."""

    def __init__(self, folder: Path, key: bytes, expected: bool) -> None:
        self._key, self._head = key, folder / HEAD
        path = folder / DATABASE
        lost = expected and not path.exists()
        if not expected and not self._head.exists():
            create_private(self._head, self._head_line(0, _GENESIS))
        self._db = connect(path)
        self._db.execute("PRAGMA synchronous=FULL")
        _SCHEMA.prepare(self._db)
        if lost:
            self.append("damaged", "log-missing", details={"text": "the audit log was gone, and began anew"})

    def close(self) -> None:
        self._db.close()

    def append(
        self,
        action: str,
        purpose: str,
        subject: str = "",
        details: Mapping[str, Any] | None = None,
        refs: Sequence[str] = (),
    ) -> None:
        """Write an entry, or one for every 500 references, and bring it to the disk.

        Where the log's end was cut off before, an entry of that (`damaged`) comes first and stays for ever.
        """
        if action not in ACTIONS:
            raise ValueError(f"{action!r} is no action of the audit log")
        if not purpose.strip():
            raise ValueError("the audit log wants to know why")
        chunks = [refs[at : at + REFS_PER_ENTRY] for at in range(0, len(refs), REFS_PER_ENTRY)] or [()]
        with self._appending():
            for chunk in chunks:
                self._insert(action, purpose, subject, details or {}, _pack(chunk))
        self._advance_head()

    def entries(self, since: str = "", about: Collection[str] | None = None) -> Iterator[Entry]:
        """The entries from the moment `since` on (ISO 8601, UTC), oldest first: all, or those whose subject or
        references are among `about`."""
        wanted = None if about is None else set(about)
        rows = self._db.execute(f"SELECT {_COLUMNS} FROM audit WHERE at >= ? ORDER BY seq", (since,))
        for seq, at, actor, action, purpose, subject, details, packed in rows:
            refs = _unpack(packed)
            if wanted is None or subject in wanted or not wanted.isdisjoint(refs):
                yield Entry(seq, at, actor, action, purpose, subject, json.loads(details), refs)

    def erased_documents(self, patient_ref: str) -> frozenset[str]:
        """The references that an erased patient's documents had."""
        rows = self._db.execute(
            "SELECT refs FROM audit WHERE action = 'erased' AND subject = ?", (patient_ref,)
        )
        return frozenset(ref for (packed,) in rows for ref in _unpack(packed))

    def head(self) -> tuple[int, str]:
        """The number and the hash of the last entry: kept elsewhere, they prove that the log still has it."""
        seq, hashed = self._last()
        return seq, hashed.hex()

    def verify(self) -> list[Problem]:
        """Everything that is wrong with the log, by entry; empty if nothing is."""
        problems: list[Problem] = []
        previous, expected = _GENESIS, 1
        for *content, hashed in self._db.execute(f"SELECT {_COLUMNS}, hash FROM audit ORDER BY seq"):
            seq, action, purpose = content[0], content[3], content[4]
            where = f"audit entry {seq}"
            if seq != expected:
                problems.append(
                    Problem(
                        where, "audit-sequence", f"entry {expected} should stand here: entries are missing."
                    )
                )
            elif not hmac.compare_digest(self._hash(previous, *content), hashed):
                problems.append(
                    Problem(where, "audit-hash", "it was changed, or does not follow from the one before it.")
                )
            elif action == "damaged":
                problems.append(Problem(where, purpose, "the log was found damaged before this entry."))
            previous, expected = hashed, seq + 1
        head = self._head_problem()
        return problems + ([head] if head else [])

    @contextmanager
    def _appending(self) -> Iterator[None]:
        with transaction(self._db):
            problem = self._head_problem()
            if problem:
                self._insert("damaged", problem.rule, "", {"text": problem.text}, b"")
            yield

    def _insert(
        self, action: str, purpose: str, subject: str, details: Mapping[str, Any], packed: bytes
    ) -> None:
        last, previous = self._last()
        at = datetime.now(UTC).isoformat(timespec="microseconds")
        text = json.dumps(details, sort_keys=True, ensure_ascii=False)
        content = (last + 1, at, _actor(), action, purpose, subject, text, packed)
        self._db.execute(
            f"INSERT INTO audit ({_COLUMNS}, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*content, self._hash(previous, *content)),
        )

    def _hash(self, previous: bytes, *content: Any) -> bytes:
        *columns, packed = content
        said = json.dumps([*columns, packed.hex()], ensure_ascii=False).encode()
        return hmac.new(self._key, b"entry\0" + previous + said, hashlib.sha256).digest()

    def _last(self) -> tuple[int, bytes]:
        row = self._db.execute("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
        return row or (0, _GENESIS)

    # The head: how far the log had come. It is written after the entry and not flushed, so after a kill or a power
    # cut it may lag behind; it never names an entry that is not there. Flushing it would double the cost of an entry.

    def _advance_head(self) -> None:
        self._write_head(*self._last())

    def _write_head(self, seq: int, hashed: bytes) -> None:
        # One write of one length, in place: the file is never empty, as a new one would be after a power cut.
        line = self._head_line(seq, hashed)
        descriptor = os.open(self._head, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.pwrite(descriptor, line.encode(), 0)
        finally:
            os.close(descriptor)

    def _head_line(self, seq: int, hashed: bytes) -> str:
        note = {"seq": seq, "hash": hashed.hex(), "mac": self._head_mac(seq, hashed.hex())}
        return json.dumps(note).ljust(_HEAD_BYTES - 1) + "\n"

    def _read_head(self) -> str:
        with self._head.open(encoding="utf-8") as stream:
            fcntl.flock(stream, fcntl.LOCK_SH)
            return stream.read()

    def _head_mac(self, seq: int, hashed: str) -> str:
        return hmac.new(self._key, f"head\0{seq} {hashed}".encode(), hashlib.sha256).hexdigest()

    def _head_problem(self) -> Problem | None:
        if not self._head.exists():
            return Problem("audit head", "audit-head-missing", f"{HEAD} beside the log is gone.")
        try:
            note = json.loads(self._read_head())
            seq, hashed, mac = int(note["seq"]), str(note["hash"]), str(note["mac"])
        except (ValueError, KeyError, TypeError):
            return Problem("audit head", "audit-head-changed", f"{HEAD} is not what was written.")
        if not hmac.compare_digest(mac, self._head_mac(seq, hashed)):
            return Problem("audit head", "audit-head-changed", f"{HEAD} was changed.")
        row = self._db.execute("SELECT hash FROM audit WHERE seq = ?", (seq,)).fetchone()
        if seq and (row is None or row[0].hex() != hashed):
            return Problem("audit head", "audit-cut-off", f"entry {seq} was written and is no longer there.")
        return None


def is_reference(text: str) -> bool:
    """Whether this is the opaque name of a document or patient, and may be written down."""
    return _REF.fullmatch(text) is not None


_person: ContextVar[str] = ContextVar("person", default="")


@contextmanager
def acting_for(person: str) -> Iterator[None]:
    """Entries written inside say that this signed-in person acts, where one process works for many."""
    token = _person.set(person)
    try:
        yield
    finally:
        _person.reset(token)


def _actor() -> str:
    """Who acts: whom `acting_for` names, `PRECEPTOR_ACTOR`, which a service sets for the person it works for, or the system account."""
    if told := _person.get() or os.environ.get("PRECEPTOR_ACTOR", ""):
        return told
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # an account without an entry, as in many containers
        return f"uid-{os.getuid()}"


def _pack(refs: Sequence[str]) -> bytes:
    """References of one kind in 8 bytes each, after the letter of the kind.

    >>> _pack(["d-00000000000000ff"])
    b'd\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\xff'
    """
    if not refs:
        return b""
    return refs[0][:1].encode() + bytes.fromhex("".join(ref[2:] for ref in refs))


def _unpack(packed: bytes) -> tuple[str, ...]:
    kind, numbers = packed[:1].decode(), packed[1:].hex()
    return tuple(f"{kind}-{numbers[at : at + 16]}" for at in range(0, len(numbers), 16))
