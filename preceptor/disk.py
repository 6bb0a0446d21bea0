"""A disk without room: known by what libraries say of it, and told so that a person can act."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from preceptor.errors import PreceptorError

_LITTLE = 1 << 20  # bytes; with less than that, what SQLite calls an I/O error is taken for want of room

# What those say whose error is no OSError: SQLite, also through SQLAlchemy and MLflow; torch, safetensors and other native code.
_SAID = (
    "No space left on device",
    "database or disk is full",
    "iostream error",
    "unexpected pos ",
    "PytorchStreamWriter failed",
    "os error 28",
)
# SQLite cannot make or extend its -wal and -shm files on a full disk, and says no more than this of it.
_AMBIGUOUS = ("disk I/O error", "unable to open database file")


class DiskFull(PreceptorError):
    """There is no room to write; what is whole is kept."""


def is_full(error: BaseException, folder: Path) -> bool:
    """Whether an error, or one that it came from, says that a disk has no room. `folder` is where was written to."""
    little = has_little(folder)
    for each in _chain(error):
        if isinstance(each, OSError) and each.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if isinstance(each, sqlite3.Error) and getattr(each, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            return True
        said = str(each)
        if any(words in said for words in _SAID) or (little and any(words in said for words in _AMBIGUOUS)):
            return True
    return False


def has_little(folder: Path) -> bool:
    """Whether the disk of a folder has so little room that next to nothing can be written."""
    return _free(folder) < _LITTLE


def full(folder: Path) -> DiskFull:
    """The error that a person reads: which folders may have no room, and how much there is now."""
    scratch = Path(tempfile.gettempdir())
    places = f"{folder}, {_megabytes(folder)} free"
    if _device(scratch) != _device(folder):
        places += f"; {scratch}, for temporary files, {_megabytes(scratch)} free"
    return DiskFull(
        f"No space left on a disk (rule disk-full): {places}. What is whole is kept. Free some space there, and the same "
        "command goes on."
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An error and those that it was raised from."""
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or each.__context__


def _existing(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())


def _device(folder: Path) -> int:
    return os.stat(_existing(folder)).st_dev


def _free(folder: Path) -> int:
    return shutil.disk_usage(_existing(folder)).free


def _megabytes(folder: Path) -> str:
    return f"{_free(folder) / 1e6:,.1f} MB"
