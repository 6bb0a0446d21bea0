"""Prompts and answers of production, sealed. Red: a prompt holds whatever a clinician typed.

A file of its own beside vault.db, since intake holds that one's write lock for most of its run, and a server may not
wait for it. Each row is sealed under a key of its patient, or of its day where the client does not say whose it is; the
keys lie beside, wrapped under one that is derived from the keyring's secret for what has no known patient, which a
rotation does not change. Destroying a key ends what was sealed under it: a patient's by `preceptor forget`, a day's when
its time is over. What was typed without a patient is not found by an erasure: it goes with its day.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from preceptor.keys import derive
from preceptor.vault.database import connect, transaction
from preceptor.vault.errors import Problem, VaultError
from preceptor.vault.keyring import Secrets
from preceptor.vault.schema import Schema
from preceptor.vault.sealing import seal, unseal, unwrap_key, wrap_key

DATABASE = "transcripts.db"
_SCHEMA = Schema(
    "the vault's transcripts",
    """
CREATE TABLE IF NOT EXISTS keys (holder TEXT PRIMARY KEY, wrapped BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS transcripts (
    request_id TEXT PRIMARY KEY, day TEXT NOT NULL, holder TEXT NOT NULL REFERENCES keys, sealed BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS transcripts_by_day ON transcripts (day);
CREATE TABLE IF NOT EXISTS erased (holder TEXT PRIMARY KEY) STRICT;
""",
)


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was asked and answered. `final` is the clinician's text, where it was sent back."""

    request_id: str
    version: str
    prompt: str
    answer: str
    final: str = ""


class Transcripts:
    """The open file. `Vault.patient_ref` and `Vault.find_patient` name patients. Safe for threads."""

    def __init__(self, folder: Path, secrets: Secrets) -> None:
        self._wrap = derive(secrets.quarantine, "transcripts/wrap")
        self._lock = threading.Lock()
        self._db = connect(folder / DATABASE, any_thread=True)
        self._db.execute("PRAGMA secure_delete=ON")
        _SCHEMA.prepare(self._db)

    def close(self) -> None:
        self._db.close()

    def put(self, transcript: Transcript, patient_ref: str | None = None) -> bool:
        """Seal one; the same request again replaces it. False, and nothing is kept, for a patient who was erased."""
        day = datetime.now(UTC).date().isoformat()
        holder = patient_ref or f"day-{day}"
        with self._lock, transaction(self._db):
            gone = self._db.execute("SELECT 1 FROM erased WHERE holder = ?", (holder,)).fetchone()
            if not gone:
                id = transcript.request_id
                body = json.dumps(asdict(transcript), ensure_ascii=False).encode()
                sealed = seal(self._key(holder, make=True), body, id, "transcript", (day, holder))
                self._db.execute(
                    "INSERT OR REPLACE INTO transcripts VALUES (?, ?, ?, ?)", (id, day, holder, sealed)
                )
        return not gone

    def find(self, request_id: str) -> tuple[Transcript, str | None] | None:
        """One transcript and its patient's reference, if it has one; None if there is none. The caller has noted why."""
        with self._lock:
            row = self._db.execute(
                "SELECT request_id, day, holder, sealed FROM transcripts WHERE request_id = ?", (request_id,)
            ).fetchone()
            return (self._open(*row), None if row[2].startswith("day-") else row[2]) if row else None

    def of_day(self, day: date) -> Iterator[Transcript]:
        """Those of one day. The caller has noted in the audit log why (`Vault.note`)."""
        with self._lock:
            rows = self._db.execute(
                "SELECT request_id, day, holder, sealed FROM transcripts WHERE day = ? ORDER BY rowid",
                (day.isoformat(),),
            ).fetchall()
        for row in rows:
            with self._lock:
                opened = self._open(*row)
            yield opened

    def erase(self, holder: str) -> int:
        """Destroy a patient's key and rows, for good; return how many rows."""
        with self._lock:
            with transaction(self._db):
                self._db.execute("INSERT OR IGNORE INTO erased VALUES (?)", (holder,))
                count = self._db.execute("DELETE FROM transcripts WHERE holder = ?", (holder,)).rowcount
                self._db.execute("DELETE FROM keys WHERE holder = ?", (holder,))
                self._rebuild_keys()
            self._checkpoint(holder)
        return count

    def discard_before(self, day: date) -> int:
        """Delete what is older than `day`, and the keys of those days; return how many rows."""
        with self._lock, transaction(self._db):
            count = self._db.execute("DELETE FROM transcripts WHERE day < ?", (day.isoformat(),)).rowcount
            self._db.execute(
                "DELETE FROM keys WHERE holder LIKE 'day-%' AND holder < ?", (f"day-{day.isoformat()}",)
            )
            self._rebuild_keys()
        return count

    def verify(self) -> Iterator[Problem]:
        """Open every row, hand out none, and tell which do not open."""
        with self._lock:
            rows = self._db.execute("SELECT request_id, day, holder, sealed FROM transcripts").fetchall()
        for row in rows:
            try:
                with self._lock:
                    self._open(*row)
            except VaultError as error:
                yield Problem(row[0], "transcript", str(error))

    def _open(self, request_id: str, day: str, holder: str, sealed: bytes) -> Transcript:
        body = unseal(self._key(holder), sealed, request_id, "transcript", (day, holder))
        return Transcript(**json.loads(body))

    def _key(self, holder: str, make: bool = False) -> bytes:
        row = self._db.execute("SELECT wrapped FROM keys WHERE holder = ?", (holder,)).fetchone()
        if row is None:
            if not make:
                raise VaultError(f"The transcripts of {holder} have no key: erased, or the file was damaged.")
            key = os.urandom(32)
            self._db.execute("INSERT INTO keys VALUES (?, ?)", (holder, wrap_key(self._wrap, key)))
            return key
        key_found = unwrap_key(self._wrap, row[0])
        if key_found is None:
            raise VaultError(f"The key of the transcripts of {holder} was changed or damaged.")
        return key_found

    def _rebuild_keys(self) -> None:
        """Leave no older copy of a key in the unused part of a page (see `Vault._rebuild_patients`)."""
        self._db.execute("CREATE TABLE keys_anew AS SELECT * FROM keys")
        self._db.execute("DELETE FROM keys")
        self._db.execute("INSERT INTO keys SELECT * FROM keys_anew")
        self._db.execute("DROP TABLE keys_anew")

    def _checkpoint(self, holder: str) -> None:
        busy, _, _ = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise VaultError(
                f"The transcripts of {holder} are erased, but another process still reads {DATABASE}, so that the key's old "
                "place is not overwritten yet. Erase again when it has ended."
            )
