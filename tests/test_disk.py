"""A full disk: known whatever library says so, told with the folder, and nothing half is left of what was being written."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.faults.small_disk import small_disk
from preceptor import disk
from preceptor.errors import PreceptorError
from preceptor.release.store import Store
from preceptor.settings import ROOT
from preceptor.vault.database import connect, transaction

NOTHING_FREE = Path("/proc")  # a file system on which there never is any room
CHAIN_KEY = bytes(32)
mounts = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")


def sqlite_full() -> sqlite3.Error:
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("PRAGMA max_page_count = 2")
        with pytest.raises(sqlite3.OperationalError) as caught:
            db.execute("CREATE TABLE t (x)")
            db.execute("INSERT INTO t VALUES (zeroblob(100000))")
    return caught.value


def raised_from(cause: BaseException, error: Exception) -> Exception:
    try:
        try:
            raise cause
        except type(cause):
            raise error from cause
    except type(error) as caught:
        return caught


def test_whoever_says_it_is_understood(tmp_path):
    with pytest.raises(OSError) as real, open("/dev/full", "wb", buffering=0) as full:
        full.write(b"x")
    said = [
        real.value,
        OSError(errno.EDQUOT, "quota"),
        sqlite_full(),
        raised_from(sqlite_full(), ValueError("some library's own")),
        RuntimeError(
            "[enforce fail at inline_container.cc:862] . PytorchStreamWriter failed writing file data/1"
        ),
    ]
    assert [disk.is_full(error, tmp_path) for error in said] == [True] * len(said)
    others = [OSError(errno.EACCES, "no"), ValueError("full"), sqlite3.OperationalError("database is locked")]
    assert [disk.is_full(error, tmp_path) for error in others] == [False] * len(others)


def test_an_io_error_of_sqlite_is_taken_for_it_only_where_there_is_no_room(tmp_path):
    error = sqlite3.OperationalError("disk I/O error")
    assert disk.is_full(error, NOTHING_FREE) and not disk.is_full(error, tmp_path)


def test_it_names_the_folder_the_rule_and_what_is_free(tmp_path):
    said = disk.full(tmp_path / "not" / "yet" / "there")
    assert isinstance(said, PreceptorError) and said.exit_code == 1
    assert str(tmp_path) in str(said) and "rule disk-full" in str(said) and "MB free" in str(said)


_LIMITED = """
import resource, signal, sys
from pathlib import Path
from preceptor.private_files import replace_private
from preceptor.versions import write_atomic
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
for write in (write_atomic, replace_private):
    try:
        write(Path(sys.argv[1]) / "kept", "new" * 1000)
    except OSError:
        print("refused")
"""


def test_what_cannot_be_written_leaves_the_old_and_nothing_beside_it(tmp_path):
    (tmp_path / "kept").write_text("old")
    command = [sys.executable, "-c", _LIMITED, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == ["refused", "refused"]
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("kept", "old")]


def test_a_transaction_that_meets_a_full_disk_says_so_and_can_be_tried_again(tmp_path):
    """SQLite rolls back by itself then; a second ROLLBACK would be the error that is seen."""
    with closing(connect(tmp_path / "a.db")) as db:
        db.execute("CREATE TABLE t (x BLOB)")
        (pages,) = db.execute("PRAGMA page_count").fetchone()
        db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(sqlite3.OperationalError) as caught, transaction(db):
            db.execute("INSERT INTO t VALUES (zeroblob(1000000))")
        assert disk.is_full(caught.value, tmp_path) and not db.in_transaction
        db.execute("PRAGMA max_page_count = 10000")
        with transaction(db):
            db.execute("INSERT INTO t VALUES (zeroblob(1000000))")
        assert db.execute("SELECT count(*) FROM t").fetchone() == (1,)


@mounts
def test_a_decision_on_a_full_disk_is_not_recorded_and_can_be_taken_again(tmp_path):
    with small_disk(tmp_path / "disk", 2) as small, closing(Store(small.at / "release", CHAIN_KEY)) as record:
        record.append("promoted", "m/1", "sensor", {"n": 1})
        small.fill()
        with pytest.raises((OSError, sqlite3.Error)) as caught:
            for _ in range(100):  # SQLite may have a little room left inside its files
                record.append("promoted", "m/1", "sensor", {"reason": "x" * 4000})
        assert disk.is_full(caught.value, small.at)
        written = len(record.events())
        assert record.verify() == []
        small.empty()
        record.append("promoted", "m/2", "sensor", {"n": 2})
        assert record.verify() == [] and len(record.events()) == written + 1


@mounts
def test_the_program_names_the_disk_and_goes_on_when_there_is_room(tmp_path):
    def add(name: str) -> subprocess.CompletedProcess:
        program = [
            sys.executable,
            "-c",
            "from preceptor.cli import main; main()",
            "--home",
            small.at / "home",
        ]
        asked = ["users", "add", name, "--role", "approver", "--password-stdin"]
        return subprocess.run(
            [*program, *asked],
            input="a long password\n",
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
        )

    with small_disk(tmp_path / "disk", 2) as small:
        small.fill()
        refused = add("ana")
        assert refused.returncode == 1 and "Traceback" not in refused.stderr
        assert "rule disk-full" in refused.stderr and str(small.at) in refused.stderr
        small.empty()
        assert add("ana").returncode == 0, "what the full disk left half made is in the way"
