"""Whether the process of a run is still there. It holds a file of the run as a lock, which the kernel gives back however the
process ends; one that ends in order takes the file away. Dagster does not see it where runs are processes of this machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from preceptor.errors import PreceptorError
from preceptor.locks import exclusive, held
from preceptor.settings import Workspace

_SETTLED = 5.0  # seconds after which a file that nobody holds is no longer about to be held


@contextmanager
def alive(workspace: Workspace, run_id: str) -> Iterator[None]:
    """Hold the run's file for as long as the body takes."""
    path = _file(workspace, run_id)
    with exclusive(
        path, PreceptorError(f"Another process is at work on run {run_id[:8]} already."), patience=5.0
    ):
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def was_killed(workspace: Workspace, run_id: str) -> bool:
    """Whether the run's process has begun and ended without taking its file away."""
    path = _file(workspace, run_id)
    try:
        settled = time.time() - path.stat().st_mtime > _SETTLED
    except FileNotFoundError:
        return False
    return settled and not held(path)


def _file(workspace: Workspace, run_id: str) -> Path:
    return workspace.dagster_home / "alive" / f"{run_id}.lock"
