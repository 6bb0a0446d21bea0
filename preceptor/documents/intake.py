"""Intake: every file given is in the vault, known already, or in quarantine with a rule. Nothing is lost."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from preceptor.documents.errors import UnreadableFile
from preceptor.documents.records_file import DocumentRow, RecordsFile, read_records
from preceptor.documents.registry import read_file
from preceptor.errors import UsageError
from preceptor.progress import Progress, silent
from preceptor.records import Labels, ParsedDocument, PatientRecord
from preceptor.settings import IntakeSettings
from preceptor.vault import Vault, VaultError

RECORDS_NAME = "records.jsonl"  # taken as the records file when it lies in a folder given for intake


@dataclass(slots=True)
class IntakeReport:
    """What became of the files of one call. `quarantined` holds `{file, rule, remedy}` for the person who asked;
    it is printed to that person and stored nowhere, since file names may identify."""

    batch: str
    accepted: int = 0
    documents: int = 0
    duplicates: int = 0
    quarantined: list[dict[str, str]] = field(default_factory=list)


def intake(
    paths: Iterable[Path],
    vault: Vault,
    limits: IntakeSettings,
    *,
    records: Path | None = None,
    source: str = "batch",
    on_progress: Progress = silent,
) -> IntakeReport:
    """Bring files and folders into the vault; safe to repeat, and to repeat after a kill.

    The batch is named after `source` and the (keyed hashes of the) files, so the same files are the same batch.
    Raises `UsageError` for a path that is not there, a bad source name or a bad records file.
    """
    files, found_records = _files(paths)
    records = records or found_records
    table = read_records(records) if records else RecordsFile({}, {})
    macs = {file: _file_mac(vault, file) for file in files}
    report = IntakeReport(_batch_name(vault, source, macs.values()))
    # Records first, each patient in a transaction: a document must find the patient whose it is.
    for record in table.patients.values():
        with vault.transaction():
            vault.put_record(record)
    for done, (file, mac) in enumerate(macs.items()):
        on_progress(done, len(files))
        if vault.has_file(mac):
            report.duplicates += 1
        else:
            _take(file, mac, table, vault, limits, report)
    on_progress(len(files), len(files))
    return report


def batch_name(paths: Iterable[Path], vault: Vault, source: str = "batch") -> str:
    """The name that `intake` would give to a batch of these paths."""
    files, _ = _files(paths)
    return _batch_name(vault, source, [_file_mac(vault, file) for file in files])


def _batch_name(vault: Vault, source: str, macs: Iterable[str]) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,40}", source):
        raise UsageError("--source takes lower-case letters, digits and hyphens: it is shown in the UI.")
    return f"{source}-{vault.content_mac('batch', chr(10).join(sorted(macs)).encode())[:10]}"


def _take(
    file: Path, mac: str, table: RecordsFile, vault: Vault, limits: IntakeSettings, report: IntakeReport
) -> None:
    try:
        format, parsed = read_file(file, limits)
        row = table.documents.get(file.name)
        with vault.transaction():
            new = [
                _put(document, format, file.name, row, vault, report.batch) for document in parsed.documents
            ]
            vault.put_file(mac, report.batch, len(parsed.documents))
            vault.release_from_quarantine(mac)
    except UnreadableFile as error:
        _quarantine(file, mac, error.rule, error.remedy, vault, limits, report)
    except VaultError:
        _quarantine(file, mac, "patient-erased", "This patient was erased on request.", vault, None, report)
    except OSError:
        _quarantine(
            file, mac, "not-readable", "Check the file's permissions and the disk.", vault, None, report
        )
    else:
        report.documents += sum(new)
        report.accepted += any(new)
        report.duplicates += not any(new)


def _put(
    document: ParsedDocument,
    format: str,
    file_name: str,
    row: DocumentRow | None,
    vault: Vault,
    batch: str,
) -> bool:
    patient_ref = None
    if document.patient is not None and document.patient.patient_id:
        patient_ref = vault.put_record(document.patient)
    if row is not None and row.patient_id:
        # The records file knows best whose document it is; its patients were stored before any document.
        patient_ref = vault.find_patient(row.patient_id) or vault.put_record(PatientRecord(row.patient_id))
    if patient_ref is None:
        patient_ref = vault.put_unlinked(document.text)
    labels = row.labels if row else Labels()
    codes = labels.codes or document.codes
    _, new = vault.put_document(
        patient_ref,
        batch,
        text=document.text,
        note_type=(row and row.note_type) or document.note_type or "unknown",
        specialty=(row and row.specialty) or document.specialty or "general",
        encounter=(row and row.encounter) or document.encounter,
        format=format,
        file_name=file_name,
        labels=Labels(codes, labels.reference_summary, labels.differential, labels.follows),
    )
    return new


def _quarantine(
    file: Path,
    mac: str,
    rule: str,
    remedy: str,
    vault: Vault,
    limits: IntakeSettings | None,
    report: IntakeReport,
) -> None:
    # What was refused for its size or its owner is not copied; all else is kept, sealed.
    keep = limits is not None and file.stat().st_size <= limits.max_file_mb * 1_000_000
    with vault.transaction():
        vault.put_quarantined(mac, report.batch, rule, file.name, file.read_bytes() if keep else b"")
    report.quarantined.append({"file": str(file), "rule": rule, "remedy": remedy})


def _files(paths: Iterable[Path]) -> tuple[list[Path], Path | None]:
    files: list[Path] = []
    records = None
    for path in paths:
        if not path.exists():
            raise UsageError(f"There is no file or folder {path}.")
        if path.is_file():
            files.append(path)
            continue
        for found in sorted(path.rglob("*")):
            if not found.is_file() or any(part.startswith(".") for part in found.relative_to(path).parts):
                continue
            if found.name == RECORDS_NAME:
                records = found
            else:
                files.append(found)
    return list(dict.fromkeys(files)), records


def _file_mac(vault: Vault, file: Path) -> str:
    import hashlib

    try:
        with file.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").digest()
    except OSError:
        content = str(file).encode()
    return vault.content_mac("file", content)
