"""Processes of the stories: ports, groups that end together, and whether somebody answers."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parent.parent.parent


def free_port() -> int:
    """A port of the loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def spawn(
    command: Sequence[str | Path], environment: Mapping[str, str], log: Path
) -> subprocess.Popen[bytes]:
    """A process in a session of its own, so that its children end with it; what it prints is added to `log`."""
    with log.open("ab") as stream:
        return subprocess.Popen(
            [str(part) for part in command],
            env=dict(environment),
            cwd=ROOT,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )


def to_group(process: subprocess.Popen[Any], number: signal.Signals) -> None:
    """Send a signal to a process and its children, if they are there."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def stop_all(processes: Iterable[subprocess.Popen[bytes]], seconds: float = 30) -> None:
    """End them in order, and whoever is there after so many seconds at once."""
    known = list(processes)
    for process in known:
        to_group(process, signal.SIGTERM)
    for process in known:
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
        to_group(process, signal.SIGKILL)


def answers(url: str) -> bool:
    """Whether it answers with 200."""
    try:
        return httpx.get(url, timeout=10).status_code == 200
    except httpx.HTTPError:
        return False
