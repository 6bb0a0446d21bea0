"""Reading happens in processes that may hang, crash or run out of memory without harm to anything else."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from preceptor.documents import readers
from preceptor.documents.events import FormatFound, ItemEnds
from preceptor.documents.limits import Limits
from preceptor.documents.readers import Reader, read_all
from preceptor.records import ParsedDocument


def verdict(events) -> str:
    """The rule that a file broke, or the text of its one document."""
    said = ""
    for event in events:
        match event:
            case ParsedDocument():
                said = event.text
            case ItemEnds(rule=rule) if rule:
                said = rule
    return said


@pytest.fixture
def reader():
    made = Reader(Limits(max_seconds=20))
    yield made
    made.close()


def test_a_file_that_takes_too_long_is_ended_and_the_next_one_read(hostile: Path):
    slow = Reader(Limits(max_seconds=1))
    try:
        started = time.monotonic()
        assert verdict(slow.read(hostile / "hanging.pdf")) == "too-slow"
        assert time.monotonic() - started < 15
        assert verdict(slow.read(hostile / "good-note.txt")).startswith("Clinic note.")
    finally:
        slow.close()


def test_a_file_that_takes_too_much_memory_is_refused(tmp_path: Path):
    path = tmp_path / "big.txt"
    path.write_bytes(b"The patient was seen.\n" * 2_800_000)
    small = Reader(Limits(max_memory_mb=300))
    try:
        assert verdict(small.read(path)) == "too-much-memory"
        path.write_text("Seen.")
        assert verdict(small.read(path)) == "Seen."
    finally:
        small.close()


def test_a_process_that_is_killed_costs_one_file(reader: Reader, tmp_path: Path, hostile: Path):
    reader._running()
    process = reader._process
    assert process is not None
    threading.Timer(0.7, os.kill, (process.pid, signal.SIGSEGV)).start()
    assert verdict(reader.read(hostile / "hanging.pdf")) == "reader-crashed"
    (tmp_path / "a.txt").write_text("Seen.")
    assert verdict(reader.read(tmp_path / "a.txt")) == "Seen."


def test_the_reading_process_gets_no_key_and_may_not_write(reader: Reader, monkeypatch):
    monkeypatch.setenv("PRECEPTOR_MASTER_KEY", "c2VjcmV0")
    process = reader._running()
    proc = Path(f"/proc/{process.pid}")
    deadline = time.monotonic() + 10
    while "Max file size             0 " not in (limits := (proc / "limits").read_text()):
        assert time.monotonic() < deadline, limits
        time.sleep(0.05)
    assert b"PRECEPTOR" not in (proc / "environ").read_bytes()


def test_files_come_in_their_order_whatever_takes_longest(tmp_path: Path):
    files = []
    for n in range(40):
        files.append(tmp_path / f"{n:02d}.txt")
        files[-1].write_text(f"Note {n}. " * (20_000 if n % 7 == 0 else 1))
    read = [(path, verdict(events)) for path, events in read_all(files, Limits(), workers=3)]
    assert [path for path, _ in read] == files
    assert all(text.startswith(f"Note {n}.") for n, (_, text) in enumerate(read))


def test_stopping_in_the_middle_leaves_no_process_behind(tmp_path: Path, monkeypatch):
    made: list[Reader] = []

    class Watched(Reader):
        def __init__(self, limits: Limits) -> None:
            super().__init__(limits)
            made.append(self)

    monkeypatch.setattr(readers, "Reader", Watched)
    files = [tmp_path / f"{n}.jsonl" for n in range(6)]
    for file in files:
        file.write_text('{"text": "Seen."}\n' * 5_000)
    reading = read_all(files, Limits(), workers=2)
    _, events = next(reading)
    assert isinstance([next(events) for _ in range(3)][1], FormatFound)
    reading.close()
    assert made and all(reader._process is None for reader in made)
