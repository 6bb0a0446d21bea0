"""Files that only their owner may read, and that are whole or absent."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def make_private_folder(folder: Path) -> None:
    """Make a folder that only its owner may enter, or close one that is open to others."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if folder.stat().st_mode & 0o077:
        folder.chmod(0o700)


def create_private(path: Path, data: str) -> bool:
    """Make a file; False if it is there already, which is then left as it is. Of two processes one wins."""
    beside = _write_beside(path, data)
    try:
        os.link(beside, path)
    except FileExistsError:
        return False
    finally:
        beside.unlink()
    sync_folder(path.parent)
    return True


def replace_private(path: Path, data: str) -> None:
    """Replace a file whole. A kill leaves the old or the new."""
    _write_beside(path, data).replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Bring the folder's names to the disk: a rename is lasting only after this."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_beside(path: Path, data: str) -> Path:
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException:  # it may hold a secret, and room that a full disk needs
        beside.unlink()
        raise
    return beside
