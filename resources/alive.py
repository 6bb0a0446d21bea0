"""Whether the process of a run is still there. It holds a file of the run as a lock, which the kernel gives back however the
process ends: killed, or by itself without having told Dagster. Dagster does not see either where runs are processes of a machine.

The file stays behind; who has looked at it takes it away (pipelines/killed.py).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from preceptor.errors import PreceptorError
from preceptor.locks import exclusive, held
from preceptor.settings import Workspace

_SETTLED = 15.0  # seconds that a process has to hold its new file, and after it for Dagster to write how the run ended


@contextmanager
def alive(workspace: Workspace, run_id: str) -> Iterator[None]:
    """Hold the run's file for as long as the body takes."""
    path = _file(workspace, run_id)
    # Whoever asks whether it is held takes it for an instant.
    with exclusive(path, PreceptorError(f"Another process is at work on run {run_id}."), patience=1.0):
        path.write_text(_host(), encoding="utf-8")
        try:
            yield
        finally:
            os.utime(path)


def begun(workspace: Workspace) -> list[str]:
    """The runs whose process has begun, and of which nobody has taken the file away yet."""
    return sorted(path.stem for path in _folder(workspace).glob("*.lock"))


def is_gone(workspace: Workspace, run_id: str) -> bool:
    """Whether the run's process has begun on this machine, and is not there any more.

    Of runs on other machines nothing is said: locks may not reach there.
    """
    path = _file(workspace, run_id)
    try:
        # A time ahead of the clock is of one that was set back since, by however much.
        settled = not 0 <= time.time() - path.stat().st_mtime < _SETTLED
        return settled and path.read_text(encoding="utf-8") == _host() and not held(path)
    except FileNotFoundError:
        return False


def forget(workspace: Workspace, run_id: str) -> None:
    """Take the file away: it is known how the run ended."""
    _file(workspace, run_id).unlink(missing_ok=True)


def _host() -> str:
    return os.uname().nodename


def _file(workspace: Workspace, run_id: str) -> Path:
    return _folder(workspace) / f"{run_id}.lock"


def _folder(workspace: Workspace) -> Path:
    return workspace.dagster_home / "alive"
