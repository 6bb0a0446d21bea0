"""Processes that hold a run's file as a run at work does (resources/alive.py)."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_HOLD = """
import sys
from pathlib import Path
from preceptor.settings import Workspace
from resources.alive import alive
with alive(Workspace(Path(sys.argv[1])), sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holders() -> Iterator[Callable[[Path, str], subprocess.Popen]]:
    """Gives what starts one for a home and a run; it ends by itself when its standard input is closed, or is killed. None is left."""
    begun: list[subprocess.Popen] = []

    def start(home: Path, run_id: str) -> subprocess.Popen:
        command = [sys.executable, "-c", _HOLD, str(home), run_id]
        found = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        begun.append(found)
        assert found.stdout.readline() == "held\n"
        return found

    yield start
    for found in begun:
        found.communicate()


def a_minute_ago(dagster_home: Path, run_id: str) -> None:
    """Let the run's file have been touched a minute ago."""
    os.utime(dagster_home / "alive" / f"{run_id}.lock", (time.time() - 60,) * 2)
