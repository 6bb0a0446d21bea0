"""Which files a call of intake is about: those named, and those in the folders named."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from preceptor.errors import UsageError

RECORDS_NAME = "records.jsonl"  # taken as the records file when it lies in a folder given for intake


@dataclass(slots=True)
class Inbox:
    """Files in a fixed order, the records file found beside them, and what is there but is no file, with its rule."""

    files: list[Path] = field(default_factory=list)
    records: Path | None = None
    not_files: list[tuple[Path, str]] = field(default_factory=list)


def find_files(paths: Iterable[Path]) -> Inbox:
    """Return the files below `paths`. Hidden files and folders are passed over, as are those inside hidden folders.

    Raises `UsageError` for a path that is not there.
    """
    found = Inbox()
    for path in paths:
        if not path.exists():
            raise UsageError(f"There is no file or folder {path}.")
        if path.is_dir():
            _walk(path, found)
        elif path.is_file():
            found.files.append(path)
        else:
            found.not_files.append((path, "not-a-file"))
    found.files = list(dict.fromkeys(found.files))
    # What an export says of patients by themselves (FHIR's Patient.ndjson) comes before what it says of documents.
    found.files.sort(key=lambda file: not file.name.lower().startswith("patient"))
    return found


def _walk(folder: Path, found: Inbox) -> None:
    root = folder.resolve()
    for path in sorted(folder.rglob("*")):
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            # Whoever can write into the inbox must not choose what else of this machine is read.
            found.not_files.append((path, "link-outside"))
        elif path.is_dir():
            continue
        elif not path.is_file():
            found.not_files.append((path, "not-a-file"))
        elif path.name == RECORDS_NAME:
            found.records = path
        else:
            found.files.append(path)
