"""What a person is told of an error that no command foresaw. Its own message may hold text of a document and is not shown."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

from preceptor import disk
from preceptor.errors import kind_and_place

_DENIED = "Is it of another user? Run this as the user whom the home belongs to, or name another --home."
_REMEDIES = {
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.EROFS: "Name a --home on a disk that can be written to.",
}
_OF_SQLITE = {
    "SQLITE_READONLY": errno.EROFS,
    "SQLITE_CANTOPEN": errno.EACCES,
    "SQLITE_PERM": errno.EACCES,
}


def said_of(error: Exception, home: Path) -> str:
    """One paragraph: that the disk is full; that a file may not be written, and where if that is in the home; or that it is a
    defect, and where in the program."""
    if disk.is_full(error, home):
        return str(disk.full(home))
    number = error.errno if isinstance(error, OSError) else None
    if isinstance(error, sqlite3.Error):
        name = getattr(error, "sqlite_errorname", "")
        number = next((n for prefix, n in _OF_SQLITE.items() if name.startswith(prefix)), None)
    if number is not None and number in _REMEDIES:
        return f"{_where(error, home)}: {os.strerror(number).lower()}. {_REMEDIES[number]} The same command goes on from there."
    return (
        f"unexpected {kind_and_place(error)}. This is a defect of Preceptor. "
        "Run again with --debug before the command for the traceback, which may show text of documents."
    )


def _where(error: Exception, home: Path) -> str:
    """The file, if it lies in the home, where no name is made of a document; else only that it is not there."""
    file = getattr(error, "filename", None)
    if file is None or isinstance(error, sqlite3.Error):
        return f"A file, most likely in the home {home}"
    path = Path(os.path.abspath(os.fsdecode(file)))
    return str(path) if path.is_relative_to(os.path.abspath(home)) else "A file that this command was given"
