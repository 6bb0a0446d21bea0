"""One promotion at a time: MLflow has no transaction over two aliases, so one of ours is around them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from preceptor.errors import PreceptorError
from preceptor.locks import exclusive


def release_lock(folder: Path, patience: float = 120.0) -> AbstractContextManager[None]:
    """Hold the folder's release lock. Raises `PreceptorError` if another still holds it after `patience` seconds."""
    lock = folder / "release.lock"
    busy = PreceptorError(
        f"Another process has held {lock} for {patience:.0f} seconds. "
        "Let it finish, then run this again; nothing was changed."
    )
    return exclusive(lock, busy, patience)
