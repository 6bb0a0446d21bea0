"""Locks between processes, which the kernel gives back however a process ends."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from preceptor.errors import PreceptorError


@contextmanager
def exclusive(lock: Path, busy: PreceptorError, patience: float = 0.0) -> Iterator[None]:
    """Hold the file as a lock, making it and its folder where they are not there.

    Raises `busy` if another still holds it after `patience` seconds.
    """
    lock.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _take(descriptor, busy, time.monotonic() + patience)
        yield
    finally:
        os.close(descriptor)


def held(lock: Path) -> bool:
    """Whether another process holds the file as a lock now. Makes nothing."""
    try:
        descriptor = os.open(lock, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        # Shared, so that several may ask at once; whoever takes the lock meanwhile needs patience of an instant.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)


def _take(descriptor: int, busy: PreceptorError, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise busy from None
            time.sleep(0.05)
