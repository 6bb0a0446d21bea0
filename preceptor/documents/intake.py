"""Intake: every file given is in the vault, known already, unwanted by a rule, or in quarantine with one.

Files are read in processes of their own (`readers`); what they say is written where the keys are (`writing`).
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from preceptor.consent import Consent
from preceptor.documents.inbox import Inbox, find_files
from preceptor.documents.readers import read_all
from preceptor.documents.records_file import RecordsFile, read_records
from preceptor.documents.writing import IntakeReport, Writer
from preceptor.errors import UsageError
from preceptor.progress import Progress, silent
from preceptor.settings import IntakeSettings
from preceptor.vault import Vault


def intake(
    paths: Iterable[Path],
    vault: Vault,
    settings: IntakeSettings,
    *,
    records: Path | None = None,
    source: str = "batch",
    on_progress: Progress = silent,
) -> IntakeReport:
    """Bring files, folders and archives into the vault; safe to repeat, and to repeat after a kill.

    The batch is named after `source` and the (keyed hashes of the) files, so the same files are the same batch.
    Raises `UsageError` for a path that is not there, folders without a file, a bad source name, a bad records file or list of
    patients.
    """
    paths = list(paths)
    inbox = find_files(paths)
    records = records or inbox.records
    if not (inbox.files or inbox.not_files or records):
        raise UsageError(
            f"There is no file in {', '.join(map(str, paths))}; hidden ones are passed over. Nothing was taken in."
        )
    table = read_records(records) if records else RecordsFile({}, {})
    macs = {file: _mac(vault, file) for file in inbox.files}
    report = IntakeReport(_batch_name(vault, source, macs.values()))
    with Writer(vault, settings, table, Consent(vault, settings), report) as writer:
        # Records first: a document must find the patient whose it is.
        for record in table.patients.values():
            writer.put_record(record)
        for path, rule in inbox.not_files:
            writer.put_no_file(path, rule)
        _read_new(inbox, macs, writer, settings, on_progress)
    return report


def batch_name(paths: Iterable[Path], vault: Vault, source: str = "batch") -> str:
    """The name that `intake` would give to a batch of these paths."""
    return _batch_name(vault, source, [_mac(vault, file) for file in find_files(paths).files])


def _batch_name(vault: Vault, source: str, macs: Iterable[str]) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,40}", source):
        raise UsageError("--source takes lower-case letters, digits and hyphens: it is shown in the UI.")
    return f"{source}-{vault.content_mac('batch', chr(10).join(sorted(macs)).encode())[:10]}"


def _mac(vault: Vault, file: Path) -> str:
    try:
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:  # reading it will say so
        digest = hashlib.sha256(os.fsencode(file)).hexdigest()
    return vault.content_mac("file", digest.encode())


def _read_new(
    inbox: Inbox, macs: dict[Path, str], writer: Writer, settings: IntakeSettings, on_progress: Progress
) -> None:
    total = len(inbox.files)
    new = [file for file in inbox.files if not writer.put_known(macs[file])]
    done = total - len(new)
    workers = min(settings.workers or len(os.sched_getaffinity(0)), len(new))
    for file, events in read_all(new, settings.limits(), workers):
        on_progress(done, total)
        writer.put_file(file, macs[file], events)
        done += 1
    on_progress(total, total)
