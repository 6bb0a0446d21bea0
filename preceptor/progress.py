"""Progress that a person can follow: stage, items done, time left. Counts only, never text."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

# (done, total) -> None. Every long stage takes one of these.
Progress = Callable[[int, int], None]


def silent(done: int, total: int) -> None:
    """A progress that tells nobody."""


def reporter(stage: str, say: Callable[[str], None] | None = None, every: float = 5.0) -> Progress:
    """Return a progress that says `stage: done/total, time left` at most once in `every` seconds and at the end.

    `say` gets each line; by default it goes to standard error.
    """
    tell = say or (lambda line: print(line, file=sys.stderr, flush=True))
    started = time.monotonic()
    last = started

    def progress(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if done < total and now - last < every:
            return
        last = now
        left = f", {clock((now - started) / done * (total - done))} left" if done else ""
        ending = left if done < total else f", took {clock(now - started)}"
        tell(f"{stage}: {done}/{total}{ending}")

    return progress


def clock(seconds: float) -> str:
    """Seconds as minutes and seconds: `2:05`."""
    return f"{int(seconds // 60)}:{int(seconds % 60):02d}"
