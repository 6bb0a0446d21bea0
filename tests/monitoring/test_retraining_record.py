"""The record of decisions: what is open, what came of it, and that nothing is written twice."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from preceptor.monitoring.causes import Reason, Seen
from preceptor.monitoring.retraining import Decision
from preceptor.monitoring.retraining_record import FILE, Record, open_record

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
DRIFT = Reason("drift", "length has moved", "False/0")
START = Decision(True, (DRIFT,), "", "nothing withholds it")
SEEN = Seen(documents=30, drifted=True, alarms=("a", "b"))


@pytest.fixture
def record(tmp_path):
    with open_record(tmp_path) as opened:
        yield opened


def start(record: Record, at=NOW, last=None, champion="preceptor/1"):
    return record.decided(START, champion, SEEN, at, last)


def test_a_start_is_open_until_its_run_ended_and_then_says_what_it_brought(record):
    entry = start(record)
    assert entry.open and entry.seen == SEEN and entry.causes == (DRIFT,)
    assert "decision 1 is at work" in record.history(NOW).running
    record.launched(entry.id, "run-1", NOW)
    record.result("run-1", "candidate", "preceptor/2", "it waits", NOW)
    assert record.entry(entry.id).open
    record.ended(entry.id, failed=False, note="", minutes=90.5, at=NOW + timedelta(hours=2))
    (found,) = record.entries()
    assert (found.open, found.outcome, found.version, found.note) == (
        False, "candidate", "preceptor/2", "it waits",
    )  # fmt: skip
    history = record.history(NOW + timedelta(days=1))
    assert (history.running, history.fruitless, history.failed_at) == ("", False, None)
    assert (history.last_end, history.runs_this_month) == (NOW + timedelta(hours=2), 1)
    assert history.minutes_this_month == 90.5
    august = record.history(NOW + timedelta(days=31))
    assert (august.runs_this_month, august.minutes_this_month) == (0, 0)


@pytest.mark.parametrize(
    ("result", "failed", "outcome", "fruitless"),
    [
        ("not-better", False, "not-better", True),
        (None, False, "unknown", False),
        (None, True, "failed", False),
    ],
)
def test_what_ended_without_a_candidate_says_why(record, result, failed, outcome, fruitless):
    entry = start(record)
    record.launched(entry.id, "run-1", NOW)
    if result:
        record.result("run-1", result, "preceptor/2", "not better", NOW)
    record.ended(entry.id, failed=failed, note="the end", minutes=1, at=NOW)
    found, history = record.entry(entry.id), record.history(NOW)
    assert (found.outcome, found.note) == (outcome, "not better" if result else "the end")
    assert history.fruitless == fruitless
    assert (history.failed_at, history.last_end) == ((NOW, None) if failed else (None, NOW))
    assert record.tried("preceptor/1") == (None if failed else found)
    assert record.tried("preceptor/2") is None
    assert record.alarms_answered() == (() if failed else ("a", "b"))


def test_a_run_that_was_killed_after_its_result_has_brought_it(record):
    entry = start(record)
    record.launched(entry.id, "run-1", NOW)
    record.result("run-1", "not-better", "preceptor/2", "not better", NOW)
    record.ended(entry.id, failed=True, note="killed", minutes=1, at=NOW)
    assert record.entry(entry.id).outcome == "not-better"


def test_what_was_written_before_a_kill_is_not_written_again(record):
    entry = start(record)
    for n in (1, 2):
        record.launched(entry.id, f"run-{n}", NOW)
        record.result("run-1", "not-better", f"preceptor/{n}", "first", NOW)
        record.ended(entry.id, failed=False, note="", minutes=n, at=NOW)
    found = record.entry(entry.id)
    assert (found.run_id, found.version, found.minutes) == ("run-1", "preceptor/1", 1)


def test_nothing_starts_beside_what_is_open_or_on_facts_that_are_outdated(record):
    first = start(record)
    assert start(record, last=first.id) is None
    record.ended(first.id, failed=False, note="", minutes=1, at=NOW)
    assert start(record, last=None) is None  # it did not know of the first
    assert start(record, last=first.id) is not None
    assert len(record.entries()) == 2


def test_what_is_withheld_as_before_is_one_entry(record):
    def held(rule: str, occasion: str = "False/0"):
        reason = Reason("drift", "length has moved", occasion)
        return record.decided(Decision(False, (reason,), rule, "wait"), "preceptor/1", SEEN, NOW, None)

    assert [held("window").id, held("window").id, held("budget").id, held("budget", "True/30").id] == [
        1, 1, 2, 3,
    ]  # fmt: skip
    assert record.history(NOW).runs_this_month == 0


def test_what_was_started_by_hand_counts_but_answers_to_nothing(record):
    entry = record.adopt("run-9", "preceptor/1", NOW)
    assert (entry.run_id, entry.causes[0].cause) == ("run-9", "by-hand")
    assert record.history(NOW).running
    record.ended(entry.id, failed=False, note="", minutes=5, at=NOW)
    assert record.history(NOW).runs_this_month == 1
    assert record.tried("preceptor/1") is None


def test_the_calendar_is_noted_once_for_a_time(record):
    assert record.due() == ""
    record.note_due(NOW)
    record.note_due(datetime.fromisoformat("2026-07-01T08:00:00-04:00"))  # the same instant
    assert record.due() == "2026-07-01T12:00:00+00:00"
    record.note_due(NOW + timedelta(days=31))
    assert record.due() == "2026-08-01T12:00:00+00:00"


def test_the_record_is_only_ever_added_to_and_only_its_owner_reads_it(record, tmp_path):
    start(record)
    outside = sqlite3.connect(tmp_path / FILE)
    for change in ("UPDATE events SET payload = '{}'", "DELETE FROM events"):
        with pytest.raises(sqlite3.IntegrityError, match="never"):
            outside.execute(change)
    outside.close()
    assert (tmp_path / FILE).stat().st_mode & 0o077 == 0
