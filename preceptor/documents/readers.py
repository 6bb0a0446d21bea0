"""Reading many files in processes of their own, several at a time, in the order given, with bounded memory."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from preceptor.documents.events import Event, FileEnds, ItemBegins, ItemEnds, receive
from preceptor.documents.limits import Limits

# What a reading process may know of its surroundings: no key, no token, no home of Preceptor.
_KEPT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "PYTHONPATH", "LD_LIBRARY_PATH", "TESSDATA_PREFIX", "TZ")
_AHEAD = 4  # files that each process may be ahead of whoever takes the events
_BUFFER = 256  # events of one file that wait to be taken
_RULES = {signal.SIGALRM: "too-slow", signal.SIGKILL: "too-much-memory", signal.SIGXCPU: "too-slow"}


class Reader:
    """One reading process, started when first needed and again after it died."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None

    def read(self, path: Path) -> Iterator[Event]:
        """The events of a file. If the process dies of an item, that item ends with a rule and the rest goes on."""
        finished = 0
        while True:
            item: ItemBegins | None = None  # the one that is being read
            process = self._running()
            with suppress(BrokenPipeError):
                self._ask(process, path, finished)
            assert process.stdout is not None
            while (event := receive(process.stdout)) is not None:
                if isinstance(event, FileEnds):
                    if not event.fit:
                        self.close()
                    return
                if isinstance(event, ItemBegins):
                    item = event
                elif isinstance(event, ItemEnds):
                    item = None
                    finished += 1
                yield event
            rule = self._bury(process)
            # It died of an item, or of one that it had not yet announced: then nobody knows where to go on.
            if item is None:
                yield ItemBegins("", "")
            yield ItemEnds(rule=rule)
            if item is None or not item.member:
                return
            finished += 1

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "preceptor.documents.reader_process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={name: os.environ[name] for name in _KEPT if name in os.environ},
                cwd=Path(__file__).resolve().parent.parent.parent,
                start_new_session=True,  # so that what it started itself (tesseract) can be ended with it
            )
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(asdict(self._limits)).encode() + b"\n")
            self._process.stdin.flush()
        return self._process

    def _ask(self, process: subprocess.Popen[bytes], path: Path, skip: int) -> None:
        request = {"path": os.fsencode(path.absolute()).hex(), "skip": skip}
        assert process.stdin is not None
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.flush()

    def _bury(self, process: subprocess.Popen[bytes]) -> str:
        code = process.wait()
        self.close()
        return _RULES.get(signal.Signals(-code), "reader-crashed") if code < 0 else "reader-crashed"

    def close(self) -> None:
        """End the process and whatever it started."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        for stream in (process.stdin, process.stdout):
            with suppress(BrokenPipeError):
                stream.close()  # type: ignore[union-attr]
        process.wait()


class _Closed(Exception):
    """Nobody takes the events any more."""


def read_all(files: Iterable[Path], limits: Limits, workers: int) -> Iterator[tuple[Path, Iterator[Event]]]:
    """Yield every file with its events, in the order given; take the events of one before asking for the next.

    Memory is bounded: a process that is ahead waits until its events are taken. Closing the iterator ends all
    processes.
    """
    stop = threading.Event()
    work: queue.SimpleQueue[tuple[Path, queue.Queue[Event | None]] | None] = queue.SimpleQueue()
    threads = [
        threading.Thread(target=_work, args=(work, limits, stop), daemon=True) for _ in range(max(workers, 1))
    ]
    waiting: deque[tuple[Path, queue.Queue[Event | None]]] = deque()
    for thread in threads:
        thread.start()
    try:
        for file in files:
            entry = (file, queue.Queue[Event | None](_BUFFER))
            waiting.append(entry)
            work.put(entry)
            if len(waiting) > _AHEAD * len(threads):
                path, events = waiting.popleft()
                yield path, _taken(events)
        while waiting:
            path, events = waiting.popleft()
            yield path, _taken(events)
    finally:
        stop.set()
        for _ in threads:
            work.put(None)
        for thread in threads:
            thread.join()


def _taken(events: queue.Queue[Event | None]) -> Iterator[Event]:
    while (event := events.get()) is not None:
        yield event


def _work(
    work: queue.SimpleQueue[tuple[Path, queue.Queue[Event | None]] | None],
    limits: Limits,
    stop: threading.Event,
) -> None:
    reader = Reader(limits)
    try:
        while (entry := work.get()) is not None and not stop.is_set():
            path, events = entry
            for event in reader.read(path):
                _put(events, event, stop)
            _put(events, None, stop)
    except _Closed:
        pass
    finally:
        reader.close()


def _put(events: queue.Queue[Event | None], event: Event | None, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            events.put(event, timeout=0.2)
            return
        except queue.Full:
            continue
    raise _Closed
