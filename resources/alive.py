"""Whether the process of a run is still there. It holds a file of the run as a lock, which the kernel gives back however the
process ends; one that ends in order takes the file away. Dagster does not see it where runs are processes of this machine."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from preceptor.settings import Workspace

_SETTLED = 5.0  # seconds after which a file that nobody holds is no longer about to be held


@contextmanager
def alive(workspace: Workspace, run_id: str) -> Iterator[None]:
    """Hold the run's file for as long as the body takes, together with other processes of the same run."""
    path = _file(workspace, run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)  # waits for an instant where somebody asks
        os.pwrite(descriptor, _host(), 0)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)


def was_killed(workspace: Workspace, run_id: str) -> bool:
    """Whether a process of the run has begun on this machine, and all have ended without taking the file away.

    Of runs on other machines or in other containers nothing is said: locks may not reach there.
    """
    try:
        descriptor = os.open(_file(workspace, run_id), os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        if time.time() - os.fstat(descriptor).st_mtime < _SETTLED or os.pread(descriptor, 256, 0) != _host():
            return False
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)


def _host() -> bytes:
    return os.uname().nodename.encode()[:256]


def _file(workspace: Workspace, run_id: str) -> Path:
    return workspace.dagster_home / "alive" / f"{run_id}.lock"
