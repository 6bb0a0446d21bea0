"""What is said of errors that no command foresaw: where in the home, or where in the program, and never their own words."""

from __future__ import annotations

import errno
import sqlite3

import pytest

from preceptor.cli.failures import said_of

NOTE = "Quillfeather, Ines.txt"


def raised(error: Exception) -> Exception:
    try:
        raise error
    except Exception as caught:
        return caught


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (errno.EACCES, "permission denied. Is it of another user?"),
        (errno.EROFS, "read-only file system. Name a --home on a disk"),
    ],
)
def test_what_the_disk_refuses_is_said_with_its_remedy(tmp_path, number, told):
    inside = raised(OSError(number, "words", str(tmp_path / "home" / "vault" / "vault.db")))
    said = said_of(inside, tmp_path / "home")
    assert told in said and str(tmp_path / "home" / "vault" / "vault.db") in said and "defect" not in said
    outside = raised(OSError(number, "words", str(tmp_path / NOTE)))
    said = said_of(outside, tmp_path / "home")
    assert told in said and "Quillfeather" not in said


def test_so_it_is_where_sqlite_meets_it(tmp_path):
    sqlite3.connect(tmp_path / "a.db").close()
    with pytest.raises(sqlite3.OperationalError) as met:
        sqlite3.connect(f"file:{tmp_path / 'a.db'}?mode=ro", uri=True).execute("CREATE TABLE t (x)")
    assert f"in the home {tmp_path}: read-only file system" in said_of(met.value, tmp_path)


@pytest.mark.parametrize("error", [ValueError(NOTE), FileNotFoundError(errno.ENOENT, "none", NOTE)])
def test_of_all_else_only_kind_and_place_are_told(tmp_path, error):
    said = said_of(raised(error), tmp_path)
    assert said.startswith(f"unexpected {type(error).__name__}") and ", at test_failures.py:" in said
    assert "Quillfeather" not in said
