"""One promotion at a time: MLflow has no transaction over two aliases, so one of ours is around them."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from preceptor.errors import PreceptorError


@contextmanager
def exclusive(folder: Path, patience: float = 120.0) -> Iterator[None]:
    """Hold the folder's release lock; the kernel gives it back when the process ends, however it ends.

    Raises `PreceptorError` if another process still holds it after `patience` seconds.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder / "release.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise PreceptorError(
                        f"Another process has held {folder / 'release.lock'} for {patience:.0f} seconds. "
                        "Let it finish, then run this again; nothing was changed."
                    ) from None
                time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)
