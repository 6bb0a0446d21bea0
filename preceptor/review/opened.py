"""What each thread opens once for a file and keeps: to open and close a database for every click costs more than what is asked of it.
(Whoever closes a database as the last one moves its whole write-ahead log, and waits for the disk.)"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar


class _Closable(Protocol):
    def close(self) -> None: ...


T = TypeVar("T", bound=_Closable)


class _Mine(threading.local):
    """A thread's own: by file, what the file was when it was opened, and what was opened."""

    def __init__(self) -> None:
        self.kept: dict[Path, tuple[tuple[int, int] | None, Any]] = {}


class Opened(Generic[T]):
    """Things opened for files, each for the thread that asks; anew where another file, or none, stands in the old one's place."""

    def __init__(self) -> None:
        self._mine = _Mine()

    def of(self, path: Path, open_it: Callable[[], T]) -> T:
        """What `open_it` gave for this file, which it makes if it is not there."""
        kept = self._mine.kept
        before = kept.get(path)
        if before and before[0] == _identity(path):
            return before[1]
        if before:
            del kept[path]
            before[1].close()
        opened = open_it()
        kept[path] = (_identity(path), opened)
        return opened


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode: the number of a file that is open is not given to another."""
    try:
        at = path.stat()
    except FileNotFoundError:
        return None
    return at.st_dev, at.st_ino
