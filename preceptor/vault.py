"""The encrypted store of raw documents and EHR records. All that is red lies here and nowhere else.

One SQLite file. Every patient has a data key (AES-256-GCM) that is wrapped by the master key (AES key wrap,
RFC 3394); the associated data of each value binds it to its row and column, so a moved or changed value fails.
Erasing a patient destroys the wrapped key: what was sealed under it can never be read again.

References are HMACs under a key derived from the master key: opaque outside, and the same for the same input.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from preceptor.errors import PreceptorError
from preceptor.keys import derive, master_key
from preceptor.records import Document, Labels, PatientRecord
from preceptor.settings import Workspace

_SCHEMA = """
CREATE TABLE IF NOT EXISTS patients (
    patient_ref TEXT PRIMARY KEY, wrapped_key BLOB, record BLOB, erased_at TEXT) STRICT;
CREATE TABLE IF NOT EXISTS aliases (
    alias_mac TEXT PRIMARY KEY, patient_ref TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS documents (
    document_ref TEXT PRIMARY KEY, patient_ref TEXT NOT NULL REFERENCES patients, batch TEXT NOT NULL,
    content_mac TEXT NOT NULL, format TEXT NOT NULL, sealed BLOB NOT NULL, added_at TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS one_content_per_patient ON documents (content_mac, patient_ref);
CREATE TABLE IF NOT EXISTS files (
    file_mac TEXT PRIMARY KEY, batch TEXT NOT NULL, items INTEGER NOT NULL, added_at TEXT NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS aliases_by_patient ON aliases (patient_ref);
CREATE TABLE IF NOT EXISTS refusals (
    content_mac TEXT PRIMARY KEY, batch TEXT NOT NULL, rule TEXT NOT NULL, added_at TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS quarantine (
    file_mac TEXT PRIMARY KEY, batch TEXT NOT NULL, rule TEXT NOT NULL, sealed BLOB NOT NULL,
    added_at TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
"""


class VaultError(PreceptorError):
    """The vault cannot be read: wrong key, changed bytes, or an erased patient. Names the row, never its text."""


@dataclass(frozen=True, slots=True)
class BatchCounts:
    """How many things one batch holds."""

    documents: int
    patients: int
    quarantined: int
    by_format: dict[str, int]
    by_rule: dict[str, int]
    by_refusal: dict[str, int]


class Vault:
    """An open vault. Use `open_vault`, or this class directly with a folder and a 32-byte master key."""

    def __init__(self, folder: Path, master: bytes) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / "vault.db"
        if not path.exists():
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        self._wrap_key = derive(master, "vault/wrap")
        self._ref_key = derive(master, "vault/references")
        self._quarantine_key = derive(master, "vault/quarantine")
        self._db = sqlite3.connect(path, isolation_level=None, timeout=60)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA secure_delete=ON")
        self._db.executescript(_SCHEMA)
        self._check_key()

    def close(self) -> None:
        self._db.close()

    # references

    def patient_ref(self, patient_id: str) -> str:
        """The opaque name of a patient."""
        return "p-" + self._mac("patient", patient_id)[:16]

    def find_patient(self, patient_id: str) -> str | None:
        """The reference of a patient known by this id or MRN, erased ones included; None if unknown."""
        return self._known_alias([self._alias(patient_id)])

    def _aliases(self, record: PatientRecord) -> list[str]:
        ids = [record.patient_id, record.identifiers.get("mrn", "")]
        return [self._alias(i) for i in ids if i]

    def _alias(self, identifier: str) -> str:
        return self._mac("alias", "".join(c for c in identifier.upper() if c.isalnum()))

    def _known_alias(self, aliases: list[str]) -> str | None:
        for alias in aliases:
            row = self._db.execute("SELECT patient_ref FROM aliases WHERE alias_mac = ?", (alias,)).fetchone()
            if row:
                return row[0]
        return None

    def content_mac(self, kind: str, data: bytes) -> str:
        """A keyed hash by which the same bytes are recognised; without the key it tells nothing."""
        return hmac.new(self._ref_key, kind.encode() + b"\0" + data, hashlib.sha256).hexdigest()

    def _mac(self, kind: str, value: str) -> str:
        return self.content_mac(kind, value.encode())

    # writing

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside happen together or not at all."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def put_record(self, record: PatientRecord) -> str:
        """Add what an export says about a patient to what is known; return the patient's reference.

        One patient is recognised by the patient id or the MRN, whichever an export has, however it is punctuated.
        An erased patient stays erased: nothing is stored, and the reference is returned.
        """
        aliases = self._aliases(record)
        ref = self._known_alias(aliases) or self.patient_ref(record.patient_id)
        if self.is_erased(ref):
            return ref
        key = self._patient_key(ref, make=True)
        known = self.record(ref)
        merged = known.merged(record) if known else record
        sealed = _seal(key, json.dumps(asdict(merged)).encode(), ref, "record")
        self._db.execute("UPDATE patients SET record = ? WHERE patient_ref = ?", (sealed, ref))
        self._db.executemany(
            "INSERT OR IGNORE INTO aliases VALUES (?, ?)", [(alias, ref) for alias in aliases]
        )
        return ref

    def put_unlinked(self, text: str) -> str:
        """The reference of a document's own patient, when nothing says whose it is."""
        ref = "p-" + self._mac("unlinked", text)[:16]
        self._patient_key(ref, make=True)
        return ref

    def put_document(
        self,
        patient_ref: str,
        batch: str,
        *,
        text: str,
        note_type: str,
        specialty: str,
        encounter: str | None,
        format: str,
        file_name: str,
        labels: Labels,
        date: str | None = None,
        author_role: str | None = None,
    ) -> tuple[str, bool]:
        """Seal a document under its patient's key. Returns its reference, and whether it was new.

        The same text of the same patient is one document, however often and in whatever format it comes.
        Raises `VaultError` for a patient who was erased.
        """
        ref = patient_ref
        if self.is_erased(ref):
            raise VaultError(f"Patient {ref} was erased and cannot come back (rule patient-erased).")
        mac = self.content_mac("text", " ".join(text.split()).encode())
        found = self._db.execute(
            "SELECT document_ref FROM documents WHERE content_mac = ? AND patient_ref = ?", (mac, ref)
        ).fetchone()
        if found:
            return found[0], False
        document_ref = "d-" + self._mac("document", f"{ref}/{mac}")[:16]
        body = json.dumps(
            {
                "text": text,
                "note_type": note_type,
                "specialty": specialty,
                "encounter": encounter,
                "file_name": file_name,
                "labels": labels.to_json(),
                "date": date,
                "author_role": author_role,
            },
            ensure_ascii=False,
        )
        sealed = _seal(self._patient_key(ref, make=True), body.encode(), document_ref, "document")
        self._db.execute(
            "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?, ?)",
            (document_ref, ref, batch, mac, format, sealed, _now()),
        )
        return document_ref, True

    def put_file(self, file_mac: str, batch: str, items: int) -> None:
        """Remember that a file was taken in whole, with its number of items."""
        self._db.execute("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)", (file_mac, batch, items, _now()))

    def put_refusal(self, text: str, batch: str, rule: str) -> None:
        """Count a document that was not wanted. Nothing of it is kept but a keyed hash."""
        self._db.execute(
            "INSERT OR REPLACE INTO refusals VALUES (?, ?, ?, ?)",
            (self._mac("refused", text), batch, rule, _now()),
        )

    def put_quarantined(self, file_mac: str, batch: str, rule: str, file_name: str, data: bytes) -> None:
        """Keep a file that could not be read, sealed, with the rule that it broke."""
        body = json.dumps({"file_name": file_name}).encode() + b"\n" + data
        sealed = _seal(self._quarantine_key, body, file_mac, "quarantine")
        self._db.execute(
            "INSERT OR REPLACE INTO quarantine VALUES (?, ?, ?, ?, ?)",
            (file_mac, batch, rule, sealed, _now()),
        )

    def erase_patient(self, patient_ref: str) -> int:
        """Destroy a patient's key and sealed values; return how many documents can never be read again."""
        with self.transaction():
            documents = self._db.execute(
                "SELECT count(*) FROM documents WHERE patient_ref = ?", (patient_ref,)
            ).fetchone()[0]
            self._db.execute(
                "INSERT INTO patients VALUES (?, NULL, NULL, ?) ON CONFLICT (patient_ref) DO UPDATE "
                "SET wrapped_key = NULL, record = NULL, erased_at = excluded.erased_at",
                (patient_ref, _now()),
            )
            self._db.execute("DELETE FROM documents WHERE patient_ref = ?", (patient_ref,))
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return documents

    # reading

    def batches(self) -> list[str]:
        """Batch names, oldest first."""
        rows = self._db.execute(
            "SELECT batch, min(added_at) AS first FROM (SELECT batch, added_at FROM documents UNION ALL "
            "SELECT batch, added_at FROM refusals UNION ALL SELECT batch, added_at FROM quarantine) GROUP BY batch ORDER BY first, batch"
        )
        return [row[0] for row in rows]

    def file_items(self, file_mac: str) -> int:
        """How many items a file that was taken in whole has: 1, or the members of an archive; 0 if unknown."""
        row = self._db.execute("SELECT items FROM files WHERE file_mac = ?", (file_mac,)).fetchone()
        return row[0] if row else 0

    def release_from_quarantine(self, file_mac: str) -> None:
        """Forget that a file or parts of it (`MAC.PLACE`) were unreadable: it has been read after all."""
        self._db.execute(
            "DELETE FROM quarantine WHERE file_mac = ? OR file_mac BETWEEN ? AND ?",
            (file_mac, f"{file_mac}.", f"{file_mac}/"),
        )

    def alias_macs(self, identifiers: Iterable[str]) -> frozenset[str]:
        """The keyed hashes by which patients of these ids or MRNs are known."""
        return frozenset(self._alias(identifier) for identifier in identifiers)

    def aliases_of(self, patient_ref: str) -> frozenset[str]:
        """The keyed hashes of all ids that a patient is known by."""
        rows = self._db.execute("SELECT alias_mac FROM aliases WHERE patient_ref = ?", (patient_ref,))
        return frozenset(row[0] for row in rows)

    def patients_known_as(self, alias_macs: frozenset[str]) -> frozenset[str]:
        """References of the patients known by any of these hashes."""
        rows = self._db.execute("SELECT alias_mac, patient_ref FROM aliases")
        return frozenset(ref for mac, ref in rows if mac in alias_macs)

    def patients(self) -> frozenset[str]:
        """References of all patients, erased ones included."""
        return frozenset(row[0] for row in self._db.execute("SELECT patient_ref FROM patients"))

    def counts(self, batch: str) -> BatchCounts:
        """Counts of a batch, for metadata and gates."""

        def grouped(column: str, table: str) -> dict[str, int]:
            query = f"SELECT {column}, count(*) FROM {table} WHERE batch = ? GROUP BY 1 ORDER BY 1"
            return dict(self._db.execute(query, (batch,)).fetchall())

        by_format, by_rule = grouped("format", "documents"), grouped("rule", "quarantine")
        patients = self._db.execute(
            "SELECT count(DISTINCT patient_ref) FROM documents WHERE batch = ?", (batch,)
        ).fetchone()[0]
        return BatchCounts(
            documents=sum(by_format.values()),
            patients=patients,
            quarantined=sum(by_rule.values()),
            by_format=by_format,
            by_rule=by_rule,
            by_refusal=grouped("rule", "refusals"),
        )

    def manifest(self, batch: str) -> str:
        """SHA-256 over the batch's document references and its patients' known facts: changes when they do."""
        rows = self._db.execute(
            "SELECT d.document_ref, p.patient_ref FROM documents d JOIN patients p USING (patient_ref) "
            "WHERE d.batch = ? ORDER BY 1",
            (batch,),
        ).fetchall()
        told = hashlib.sha256()
        records: dict[str, str] = {}
        for document_ref, patient_ref in rows:
            if patient_ref not in records:
                known = self.record(patient_ref)
                records[patient_ref] = (
                    self._mac("record", json.dumps(asdict(known), sort_keys=True)) if known else "-"
                )
            told.update(f"{document_ref} {records[patient_ref]}\n".encode())
        return told.hexdigest()

    def documents(self, batch: str) -> Iterator[Document]:
        """The documents of a batch, patient by patient, in a fixed order."""
        rows = self._db.execute(
            "SELECT document_ref FROM documents WHERE batch = ? ORDER BY patient_ref, document_ref", (batch,)
        ).fetchall()
        for (document_ref,) in rows:
            yield self.document(document_ref)

    def document_refs(self, patient_ref: str) -> list[str]:
        """The references of a patient's documents."""
        rows = self._db.execute(
            "SELECT document_ref FROM documents WHERE patient_ref = ? ORDER BY document_ref", (patient_ref,)
        )
        return [row[0] for row in rows]

    def document(self, document_ref: str) -> Document:
        """One document. Raises `VaultError` if there is none, or it cannot be opened."""
        row = self._db.execute(
            "SELECT patient_ref, format, sealed FROM documents WHERE document_ref = ?", (document_ref,)
        ).fetchone()
        if row is None:
            raise VaultError(f"The vault holds no document {document_ref}.")
        patient_ref, format, sealed = row
        body = json.loads(_unseal(self._patient_key(patient_ref), sealed, document_ref, "document"))
        return Document(
            document_ref=document_ref,
            patient_ref=patient_ref,
            text=body["text"],
            note_type=body["note_type"],
            specialty=body["specialty"],
            encounter=body["encounter"],
            format=format,
            file_name=body["file_name"],
            labels=Labels.from_json(body["labels"]),
            date=body.get("date"),
            author_role=body.get("author_role"),
        )

    def record(self, patient_ref: str) -> PatientRecord | None:
        """What is known of a patient, or None."""
        row = self._db.execute("SELECT record FROM patients WHERE patient_ref = ?", (patient_ref,)).fetchone()
        if row is None or row[0] is None:
            return None
        data: dict[str, Any] = json.loads(
            _unseal(self._patient_key(patient_ref), row[0], patient_ref, "record")
        )
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
        return PatientRecord(**fields)

    def is_erased(self, patient_ref: str) -> bool:
        row = self._db.execute(
            "SELECT erased_at FROM patients WHERE patient_ref = ?", (patient_ref,)
        ).fetchone()
        return bool(row and row[0])

    def erased_patients(self) -> frozenset[str]:
        """References of all erased patients; every later stage drops what came from them."""
        rows = self._db.execute("SELECT patient_ref FROM patients WHERE erased_at IS NOT NULL")
        return frozenset(row[0] for row in rows)

    # keys

    def _patient_key(self, patient_ref: str, make: bool = False) -> bytes:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

        row = self._db.execute(
            "SELECT wrapped_key FROM patients WHERE patient_ref = ?", (patient_ref,)
        ).fetchone()
        if row is not None and row[0] is not None:
            try:
                return aes_key_unwrap(self._wrap_key, row[0])
            except InvalidUnwrap:
                raise VaultError(f"The key of patient {patient_ref} was changed or damaged.") from None
        if not make:
            raise VaultError(f"Patient {patient_ref} has no key: erased, or never taken in.")
        key = AESGCM.generate_key(256)
        self._db.execute(
            "INSERT INTO patients VALUES (?, ?, NULL, NULL)", (patient_ref, aes_key_wrap(self._wrap_key, key))
        )
        return key

    def _check_key(self) -> None:
        row = self._db.execute("SELECT value FROM meta WHERE name = 'key-check'").fetchone()
        if row is None:
            sealed = _seal(self._quarantine_key, b"preceptor", "meta", "key-check")
            self._db.execute("INSERT OR IGNORE INTO meta VALUES ('key-check', ?)", (sealed,))
            return
        try:
            _unseal(self._quarantine_key, row[0], "meta", "key-check")
        except VaultError:
            raise VaultError("The master key is not the one this vault was made with.") from None


def open_vault(workspace: Workspace) -> Vault:
    """Open the workspace's vault, making it if it is not there."""
    return Vault(workspace.vault, master_key(workspace))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _aad(row: str, column: str) -> bytes:
    return json.dumps([1, row, column]).encode()


def _seal(key: bytes, plain: bytes, row: str, column: str) -> bytes:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(12)
    return b"\x01" + nonce + AESGCM(key).encrypt(nonce, plain, _aad(row, column))


def _unseal(key: bytes, sealed: bytes, row: str, column: str) -> bytes:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(key).decrypt(sealed[1:13], sealed[13:], _aad(row, column))
    except InvalidTag:
        raise VaultError(f"{column} {row}: its bytes were changed, or this is not its key.") from None
