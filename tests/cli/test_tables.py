"""Tables and sentences for people: as wide as the terminal, and a row a line where there is none."""

from __future__ import annotations

import io
import sys

import pytest

from preceptor.cli._common import columns, prose

ROWS = [("key", "warning", "none yet; one is made on first use"), ("ports", "ok", "")]
HEADER = ("check", "state", "found")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    """Called in a test, after pytest has put its own standard output in place."""

    def make():
        monkeypatch.setattr(sys, "stdout", Terminal())
        monkeypatch.setenv("COLUMNS", "34")

    return make


def test_elsewhere_a_row_is_a_line():
    assert columns(ROWS, HEADER) == (
        "check  state    found\n"
        "-----  -------  ----------------------------------\n"
        "key    warning  none yet; one is made on first use\n"
        "ports  ok"
    )
    assert columns([("a  b", "")], ("", "")) == "\n----\na  b"  # a column in which nothing stands
    assert prose("a sentence " * 20) == "a sentence " * 20


def test_on_a_terminal_it_keeps_to_the_width(terminal):
    terminal()
    assert columns(ROWS, HEADER) == (
        "check  state    found\n"
        "-----  -------  ------------------\n"
        "key    warning  none yet; one is\n"
        "                made on first use\n"
        "ports  ok"
    )
    assert prose("- a sentence of many words, of many", "  ").splitlines() == [
        "- a sentence of many words, of",
        "  many",
    ]


def test_no_word_is_broken(terminal):
    terminal()
    path = "/srv/preceptor/home/reports/evaluation/0123456789ab/report.html"
    assert path in columns([("report", path)], ("what", "where"))
    assert path in prose(f"Look at {path} first.")
