"""The process that reads files for intake: `python -m preceptor.documents.reader_process`.

A file can hang its parser, eat all memory or crash the interpreter. That happens here and costs this process only.
It holds no key, may write to no file, and ends by itself: by the clock, at the memory limit, or when intake has gone.
Requests come on standard input, one JSON a line `{path, skip}` after a first line with the limits; events go out.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import IO

from preceptor.documents.events import FileEnds, ItemBegins, ItemEnds, send
from preceptor.documents.limits import Limits
from preceptor.documents.reading import read_events


def main() -> int:
    """Serve until standard input ends."""
    requests = sys.stdin.buffer
    answers = os.fdopen(os.dup(1), "wb", buffering=1 << 16)
    _silence()
    limits = Limits(**json.loads(requests.readline()))
    _confine(limits)
    for line in requests:
        request = json.loads(line)
        if not _serve(Path(os.fsdecode(bytes.fromhex(request["path"]))), request["skip"], limits, answers):
            return 1
    return 0


def _silence() -> None:
    """Whatever a library prints may quote the file: it goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def _confine(limits: Limits) -> None:
    memory = limits.max_memory_mb * 1_000_000
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    # No core dump and no temporary file: both would be text of patients on the disk.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    # The kernel ends the process, also out of a parser that never comes back to Python.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


def _serve(path: Path, skip: int, limits: Limits, answers: IO[bytes]) -> bool:
    """Answer one request; whether this process is fit for another."""
    fit = True
    begun = False
    seconds = limits.ocr_max_seconds if limits.ocr else limits.max_seconds
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        for event in read_events(path, limits, skip):
            begun = isinstance(event, ItemBegins) or (begun and not isinstance(event, ItemEnds))
            # Waiting for intake to take the answer is not the file's fault.
            signal.setitimer(signal.ITIMER_REAL, 0)
            send(answers, event)
            signal.setitimer(signal.ITIMER_REAL, seconds)
    except MemoryError:
        fit = False
        _end(answers, begun, "too-much-memory")
    except OSError:
        _end(answers, begun, "not-readable")
    # A fault of ours or of a library that no reader foresaw; its text may quote the file.
    except Exception:  # noqa: BLE001
        fit = False
        _end(answers, begun, "reader-crashed")
    signal.setitimer(signal.ITIMER_REAL, 0)
    send(answers, FileEnds(fit))
    return fit


def _end(answers: IO[bytes], begun: bool, rule: str) -> None:
    if not begun:
        send(answers, ItemBegins("", ""))
    send(answers, ItemEnds(rule=rule))


if __name__ == "__main__":
    sys.exit(main())
