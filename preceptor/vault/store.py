"""The vault: raw documents and EHR records, sealed.

One SQLite file, and beside it the audit log. Every patient has a data key, wrapped by a key of the keyring; erasing a
patient destroys it, and what was sealed under it can never be read again. References are HMACs under another key of
the keyring: opaque outside, and the same for the same input.

What hands out documents or records asks why, and writes it to the audit log first.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from preceptor.private_files import make_private_folder
from preceptor.records import Document, Labels, PatientRecord
from preceptor.vault import audit
from preceptor.vault.audit import AuditLog
from preceptor.vault.database import connect, transaction
from preceptor.vault.errors import Problem, VaultError
from preceptor.vault.keyring import Secrets
from preceptor.vault.schema import Schema
from preceptor.vault.sealing import key_id, seal, unseal, unwrap_key, wrap_key
from preceptor.vault.transcripts import Transcripts


def _count_items(db: sqlite3.Connection) -> None:
    """Files hold documents and records; of version 1 are also files whose column was called after documents."""
    if "documents" in {row[1] for row in db.execute("PRAGMA table_info(files)")}:
        db.execute("ALTER TABLE files RENAME COLUMN documents TO items")


_SCHEMA = Schema(
    "the vault",
    """
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
CREATE INDEX IF NOT EXISTS documents_by_patient ON documents (batch, patient_ref, document_ref);
CREATE TABLE IF NOT EXISTS refusals (
    content_mac TEXT PRIMARY KEY, batch TEXT NOT NULL, rule TEXT NOT NULL, added_at TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS quarantine (
    file_mac TEXT PRIMARY KEY, batch TEXT NOT NULL, rule TEXT NOT NULL, sealed BLOB NOT NULL,
    added_at TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
""",
    (_count_items,),
)

# Documents that are written to the audit log at once, before the first of them is handed out. Each time waits for the
# disk, which is what the log costs; a reader who stops early is recorded as having read up to so many.
_READ_AHEAD = 2500


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
    """An open vault. Use `open_vault`, or this class directly with a folder and a keyring's secrets.

    A bare 32-byte key stands for the secrets that are derived from it.
    """

    def __init__(self, folder: Path, secrets: Secrets | bytes) -> None:
        make_private_folder(folder)
        self.folder = folder
        self._secrets = Secrets.derived(secrets) if isinstance(secrets, bytes) else secrets
        self._db = connect(folder / "vault.db")
        self._audit_log: AuditLog | None = None
        try:
            self._db.execute("PRAGMA secure_delete=ON")
            _SCHEMA.prepare(self._db)
            self._wrap_key = self._check_keys()
            if self._meta("audit") is None:
                self._begin_audit()
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        if self._audit_log:
            self._audit_log.close()
        self._db.close()

    @property
    def audit(self) -> AuditLog:
        """The log of who read what, and why."""
        if self._audit_log is None:
            self._audit_log = AuditLog(self.folder, self._secrets.audit, expected=True)
        return self._audit_log

    def note(
        self, action: str, why: str, subject: str = "", details: Mapping[str, Any] | None = None
    ) -> None:
        """Write an entry of the audit log, such as one for a whole intake; counts and rules, never text.

        `action` is one of `preceptor.vault.audit.ACTIONS`, `subject` a batch or a patient's reference.
        """
        self.audit.append(action, why, subject, details)

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
        return hmac.new(self._secrets.references, kind.encode() + b"\0" + data, hashlib.sha256).hexdigest()

    def _mac(self, kind: str, value: str) -> str:
        return self.content_mac(kind, value.encode())

    # writing

    def transaction(self) -> AbstractContextManager[None]:
        """All writes inside happen together or not at all."""
        return transaction(self._db)

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
        known = self._record(ref)
        merged = known.merged(record) if known else record
        sealed = seal(key, json.dumps(asdict(merged)).encode(), ref, "record")
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
        key = self._patient_key(ref, make=True)
        sealed = seal(key, body.encode(), document_ref, "document", (batch, mac, format))
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

    def forget_refusal(self, text: str) -> None:
        """A document that was once not wanted has come in after all."""
        self._db.execute("DELETE FROM refusals WHERE content_mac = ?", (self._mac("refused", text),))

    def put_quarantined(self, file_mac: str, batch: str, rule: str, file_name: str, data: bytes) -> None:
        """Keep a file that could not be read, sealed, with the rule that it broke."""
        body = json.dumps({"file_name": file_name}).encode() + b"\n" + data
        sealed = seal(self._secrets.quarantine, body, file_mac, "quarantine", (batch, rule))
        self._db.execute(
            "INSERT OR REPLACE INTO quarantine VALUES (?, ?, ?, ?, ?)",
            (file_mac, batch, rule, sealed, _now()),
        )

    def erase_patient(self, patient_ref: str, why: str = "erasure") -> int:
        """Destroy a patient's key and sealed values; return how many documents can never be read again.

        The ids that the patient was known by stay as keyed hashes, so that the patient stays away. Safe to repeat;
        raises `VaultError` if another process kept the wrapped key from being overwritten on the disk.
        """
        documents = self.document_refs(patient_ref)
        self.audit.append("erased", why, patient_ref, {"documents": len(documents)}, documents)
        with self.transaction():
            self._db.execute(
                "INSERT INTO patients VALUES (?, NULL, NULL, ?) ON CONFLICT (patient_ref) DO UPDATE "
                "SET wrapped_key = NULL, record = NULL, erased_at = excluded.erased_at",
                (patient_ref, _now()),
            )
            self._db.execute("DELETE FROM documents WHERE patient_ref = ?", (patient_ref,))
            self._rebuild_patients()
        if not self._checkpoint():
            raise VaultError(
                f"Patient {patient_ref} is erased, but another process still reads the vault, so that the key's old "
                f"place in {self.folder / 'vault.db-wal'} is not overwritten yet. Erase again when it has ended."
            )
        with closing(self.transcripts()) as transcripts:
            transcripts.erase(patient_ref)
        return len(documents)

    def transcripts(self) -> Transcripts:
        """What production was asked and answered; the caller closes it, and notes why it reads (`note`)."""
        return Transcripts(self.folder, self._secrets)

    def rewrap_keys(self, new: bytes) -> int:
        """Wrap every patient's key with `new`, all or none; return how many. Documents stay as they are.

        Raises `VaultError`, naming the patient, for a key that is damaged: it would be lost for good.
        """
        if self._wrap_key == new:
            return 0
        with self.transaction():
            rows = self._db.execute(
                "SELECT patient_ref, wrapped_key FROM patients WHERE wrapped_key IS NOT NULL"
            ).fetchall()
            again = [(wrap_key(new, self._unwrapped(ref, wrapped)), ref) for ref, wrapped in rows]
            self._db.executemany("UPDATE patients SET wrapped_key = ? WHERE patient_ref = ?", again)
            self._set_meta("wrap-id", key_id(new).encode())
        self._wrap_key = new
        self._checkpoint()
        return len(rows)

    def _rebuild_patients(self) -> None:
        """Write the table of patients anew, so that no page keeps an older copy of a row.

        `secure_delete` zeroes what is deleted and pages that become free, but not the copies that stay in the unused
        part of a page when SQLite has moved rows to another: a wrapped key was found in one after its erasure.
        """
        self._db.execute("CREATE TABLE patients_anew AS SELECT * FROM patients ORDER BY rowid")
        self._db.execute("DELETE FROM patients")
        self._db.execute("INSERT INTO patients SELECT * FROM patients_anew ORDER BY rowid")
        self._db.execute("DROP TABLE patients_anew")

    def _checkpoint(self) -> bool:
        """Bring the log of changes into the database and empty it; False if another process is in the way."""
        busy, _, _ = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy

    # reading

    def batches(self) -> list[str]:
        """Batch names, oldest first."""
        rows = self._db.execute(
            "SELECT batch, min(added_at) AS first FROM (SELECT batch, added_at FROM documents UNION ALL "
            "SELECT batch, added_at FROM refusals UNION ALL SELECT batch, added_at FROM quarantine) "
            "GROUP BY batch ORDER BY first, batch"
        )
        return [row[0] for row in rows]

    def file_items(self, file_mac: str) -> int:
        """How many items a file that was taken in whole has: 1, or the members of an archive; 0 if unknown."""
        row = self._db.execute("SELECT items FROM files WHERE file_mac = ?", (file_mac,)).fetchone()
        return row[0] if row else 0

    def release_from_quarantine(self, file_mac: str) -> None:
        """Forget that a file (`MAC/WHERE`) or parts of it (`MAC.PLACE`) were unreadable: it has been read after all."""
        self._db.execute(
            "DELETE FROM quarantine WHERE file_mac = ? OR file_mac BETWEEN ? AND ?",
            (file_mac, f"{file_mac}.", f"{file_mac}0"),
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

    def totals(self) -> dict[str, int]:
        """How many documents, patients, erased patients and quarantined files the whole vault holds."""
        counted = {
            "documents": "documents",
            "patients": "patients WHERE erased_at IS NULL",
            "erased": "patients WHERE erased_at IS NOT NULL",
            "quarantined": "quarantine",
        }
        return {
            name: self._db.execute(f"SELECT count(*) FROM {rows}").fetchone()[0]
            for name, rows in counted.items()
        }

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
                known = self._record(patient_ref)
                records[patient_ref] = (
                    self._mac("record", json.dumps(asdict(known), sort_keys=True)) if known else "-"
                )
            told.update(f"{document_ref} {records[patient_ref]}\n".encode())
        return told.hexdigest()

    def documents(
        self,
        batch: str,
        *,
        why: str,
        without: Collection[str] = (),
        patients: tuple[str, str] | None = None,
    ) -> Iterator[Document]:
        """The documents of a batch, patient by patient, in a fixed order; those of patients in `without` stay shut.

        `patients`: the references of the first and the last patient wanted; others between them in order come too.
        """
        first, last = patients or ("", "\U0010ffff")
        rows = self._db.execute(
            "SELECT document_ref, patient_ref FROM documents WHERE batch = ? AND patient_ref BETWEEN ? AND ? "
            "ORDER BY patient_ref, document_ref",
            (batch, first, last),
        ).fetchall()
        refs = [document_ref for document_ref, patient_ref in rows if patient_ref not in without]
        for at in range(0, len(refs), _READ_AHEAD):
            chunk = refs[at : at + _READ_AHEAD]
            self.audit.append("read", why, batch, refs=chunk)
            for document_ref in chunk:
                yield self._document(document_ref)

    def patients_of(self, batch: str) -> frozenset[str]:
        """References of the patients who have a document in a batch."""
        rows = self._db.execute("SELECT DISTINCT patient_ref FROM documents WHERE batch = ?", (batch,))
        return frozenset(row[0] for row in rows)

    def documents_by_patient(self, batch: str) -> dict[str, int]:
        """How many documents of a batch each patient has, in order of the patients' references."""
        rows = self._db.execute(
            "SELECT patient_ref, count(*) FROM documents WHERE batch = ? GROUP BY 1 ORDER BY 1", (batch,)
        )
        return dict(rows.fetchall())

    def document_refs(self, patient_ref: str) -> list[str]:
        """The references of a patient's documents."""
        rows = self._db.execute(
            "SELECT document_ref FROM documents WHERE patient_ref = ? ORDER BY document_ref", (patient_ref,)
        )
        return [row[0] for row in rows]

    def document(self, document_ref: str, *, why: str) -> Document:
        """One document. Raises `VaultError` if there is none, or it cannot be opened."""
        row = self._db.execute(
            "SELECT batch FROM documents WHERE document_ref = ?", (document_ref,)
        ).fetchone()
        if row is None:
            known = document_ref if audit.is_reference(document_ref) else "unknown"
            self.audit.append("refused", why, known, {"rule": "no-document"})
        else:
            self.audit.append("read", why, row[0], refs=[document_ref])
        return self._document(document_ref)

    def record(self, patient_ref: str, *, why: str) -> PatientRecord | None:
        """What is known of a patient, or None."""
        return self.records([patient_ref], why=why).get(patient_ref)

    def records(self, patient_refs: Iterable[str], *, why: str) -> dict[str, PatientRecord]:
        """What is known of these patients; one of whom nothing is known is not in it."""
        known = self.patients()
        refs = sorted(known.intersection(patient_refs))
        if refs:
            self.audit.append("read-record", why, refs=refs)
        found = {ref: self._record(ref) for ref in refs}
        return {ref: record for ref, record in found.items() if record is not None}

    def refs_of(self, patient_ref: str) -> frozenset[str]:
        """All references under which the audit log may tell of a patient, whose documents may be erased."""
        erased = self.audit.erased_documents(patient_ref)
        return frozenset({patient_ref, *self.document_refs(patient_ref)}) | erased

    def _document(self, document_ref: str) -> Document:
        row = self._db.execute(
            "SELECT patient_ref, batch, content_mac, format, sealed FROM documents WHERE document_ref = ?",
            (document_ref,),
        ).fetchone()
        if row is None:
            raise VaultError(f"The vault holds no document {document_ref}.")
        patient_ref, batch, mac, format, sealed = row
        key = self._patient_key(patient_ref)
        body = json.loads(unseal(key, sealed, document_ref, "document", (batch, mac, format)))
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

    def _record(self, patient_ref: str) -> PatientRecord | None:
        row = self._db.execute("SELECT record FROM patients WHERE patient_ref = ?", (patient_ref,)).fetchone()
        if row is None or row[0] is None:
            return None
        data: dict[str, Any] = json.loads(
            unseal(self._patient_key(patient_ref), row[0], patient_ref, "record")
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

    # checking

    def verify(self) -> Iterator[Problem]:
        """Open every sealed value, hand out none, and tell which do not open."""
        for (said,) in self._db.execute("PRAGMA quick_check"):
            if said != "ok":
                yield Problem("vault.db", "database", "SQLite finds the file damaged.")
        patients = self._db.execute("SELECT patient_ref, wrapped_key, erased_at FROM patients").fetchall()
        for ref, wrapped, erased_at in sorted(patients):
            if erased_at is not None and wrapped is not None:
                yield Problem(ref, "erased-with-key", "the patient was erased, and has a key.")
            if wrapped is not None:
                yield from _problem(ref, "key", self._patient_key)
            yield from _problem(ref, "record", self._record)
        for (ref,) in self._db.execute("SELECT document_ref FROM documents ORDER BY 1").fetchall():
            yield from _problem(ref, "document", self._document)
        for (mac,) in self._db.execute("SELECT file_mac FROM quarantine ORDER BY 1").fetchall():
            yield from _problem(mac, "quarantine", self._quarantined)
        with closing(self.transcripts()) as transcripts:
            yield from transcripts.verify()

    def _quarantined(self, file_mac: str) -> bytes:
        batch, rule, sealed = self._db.execute(
            "SELECT batch, rule, sealed FROM quarantine WHERE file_mac = ?", (file_mac,)
        ).fetchone()
        return unseal(self._secrets.quarantine, sealed, file_mac, "quarantine", (batch, rule))

    # keys

    def _patient_key(self, patient_ref: str, make: bool = False) -> bytes:
        row = self._db.execute(
            "SELECT wrapped_key FROM patients WHERE patient_ref = ?", (patient_ref,)
        ).fetchone()
        if row is not None and row[0] is not None:
            return self._unwrapped(patient_ref, row[0])
        if not make:
            raise VaultError(f"Patient {patient_ref} has no key: erased, or never taken in.")
        self._require_current_wrap_key()
        key = os.urandom(32)
        self._db.execute(
            "INSERT INTO patients VALUES (?, ?, NULL, NULL)", (patient_ref, wrap_key(self._wrap_key, key))
        )
        return key

    def _unwrapped(self, patient_ref: str, wrapped: bytes) -> bytes:
        key = unwrap_key(self._wrap_key, wrapped)
        if key is None:
            self._require_current_wrap_key()
            raise VaultError(f"The key of patient {patient_ref} was changed or damaged.")
        return key

    def _require_current_wrap_key(self) -> None:
        """A process that opened the vault before a rotation may neither read nor write keys after it."""
        if self._meta("wrap-id") != key_id(self._wrap_key).encode():
            raise VaultError("The vault's keys were rotated while this was running: run the command again.")

    def _check_keys(self) -> bytes:
        """Return the key that wraps the patients' keys. Raises `VaultError` if these are another vault's secrets."""
        if self._meta("key-check") is None:
            sealed = seal(self._secrets.quarantine, b"preceptor", "meta", "key-check")
            self._add_meta("key-check", sealed)
        if self._meta("wrap-id") is None:
            self._add_meta("wrap-id", key_id(self._secrets.wrap).encode())
        candidates = [key for key in (self._secrets.wrap, self._secrets.next_wrap) if key]
        current = [key for key in candidates if key_id(key).encode() == self._meta("wrap-id")]
        try:
            unseal(self._secrets.quarantine, self._meta("key-check") or b"", "meta", "key-check")
        except VaultError:
            current = []
        if not current:
            raise VaultError("The master key is not the one this vault was made with.")
        return current[0]

    # upgrading, and facts about the vault itself

    def _begin_audit(self) -> None:
        self._audit_log = AuditLog(self.folder, self._secrets.audit, expected=False)
        self._add_meta("audit", b"begun")  # from now on, a log that is not there was lost

    def _meta(self, name: str) -> bytes | None:
        row = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None

    def _add_meta(self, name: str, value: bytes) -> None:
        self._db.execute("INSERT OR IGNORE INTO meta VALUES (?, ?)", (name, value))

    def _set_meta(self, name: str, value: bytes) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))


def _problem(where: str, rule: str, opens: Callable[[str], object]) -> Iterator[Problem]:
    try:
        opens(where)
    except VaultError as error:
        yield Problem(where, rule, str(error))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
