"""Tables that every page asks for, read once as long as they are the same file."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any


def unchanged(read: Callable[[Path], list[Any]], path: Path) -> list[Any]:
    """What `read` finds in a file; nothing without the file. An erasure replaces the file, and what was in it is dropped
    with the next ones read."""
    if not path.exists():
        return []
    at = path.stat()
    return _kept(read, path, (at.st_ino, at.st_mtime_ns, at.st_size))


@lru_cache(maxsize=3)  # predictions and examples of one evaluation, and the newest examples
def _kept(read: Callable[[Path], list[Any]], path: Path, _: tuple[int, ...]) -> list[Any]:
    return read(path)
