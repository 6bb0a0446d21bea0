"""Alarms do not flap, are raised once whatever is killed, and do not depend on when the monitor runs."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preceptor.monitoring import simulation
from preceptor.monitoring.alarms import CLEARED, RAISED, Alarm, AlarmStore, Watched, open_alarms, step
from preceptor.monitoring.judging import judge
from preceptor.monitoring.references import References
from preceptor.monitoring.rules import Rule, TrafficSettings
from preceptor.monitoring.simulation import Simulation, Truth, shifted
from preceptor.monitoring.windows import SERVICE, Log, MemoryLog, Subject
from tests.monitoring.traffic.conftest import CHAMPION, MONDAY

RULE = Rule(limit=2, clear=1, minimum=1, raise_after=2, clear_after=3)
SETTINGS = TrafficSettings()
WATCHED = [SERVICE, Subject("served", CHAMPION)]


def alarm(**changes) -> Alarm:
    facts = {
        "subject": "preceptor/1", "measure": "kept", "severity": "error", "value": 0.5, "reference": 0.8, "score": 0.3,
        "limit": 0.1, "clear": 0.04, "n": 60, "chance": 1e-4, "first": "2026-06-01", "last": "2026-06-02",
    }  # fmt: skip
    return Alarm(**facts | changes)


def events(verdicts: str) -> str:
    """What windows lead to: b bad, g good, - between; R raised, C cleared, . nothing."""
    names = {"b": "bad", "g": "good", "-": "between"}
    state, said = Watched(MONDAY), []
    for n, letter in enumerate(verdicts):
        state, event = step(state, names[letter], alarm(), RULE, MONDAY + timedelta(days=n + 1))
        said.append({RAISED: "R", CLEARED: "C"}.get(event, "."))
    return "".join(said)


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        ("bb", ".R"),
        ("bgb", "..."),
        ("b-b", "..."),
        ("bbbb", ".R.."),
        ("bbggbggg", ".R.....C"),
        ("bbgg-ggg", ".R.....C"),
        ("bbgggbb", ".R..C.R"),
        ("ggggbb", ".....R"),
    ],
)
def test_an_alarm_takes_two_bad_windows_and_goes_with_three_good_ones(windows, expected):
    assert events(windows) == expected


@given(st.text("bg-", max_size=40))
def test_raised_and_cleared_take_turns_and_each_has_its_row_of_windows(windows):
    found = events(windows)
    told = found.replace(".", "")
    assert "RR" not in told and "CC" not in told
    assert not told.startswith("C")
    for n, event in enumerate(found):
        if event != ".":
            row = windows[n - 1 : n + 1] if event == "R" else windows[n - 2 : n + 1]
            assert row == ("bb" if event == "R" else "ggg")


def run(folder, days, until=None, version=CHAMPION, settings=SETTINGS):
    log = MemoryLog(days)
    store = AlarmStore(folder)
    with store.transaction():
        subjects = [SERVICE, Subject("served", version)]
        judge(store, log, References(log, settings, version), subjects, settings, until or days[-1].date)
    history = store.history()
    store.close()
    return [(e.kind, e.subject, e.measure, e.facts.get("cleared_by", e.facts)["last"]) for e in history]


@pytest.fixture(scope="session")
def drop():
    """Three quiet weeks, one in which clinicians keep less, and two that are quiet again."""
    made, usual = Simulation(11, MONDAY), Truth(volume=150)
    days = list(made.days(usual, 21))
    return [*days, *made.days(shifted(usual, kept=0.5), 7), *made.days(usual, 14)]


def test_a_drop_is_raised_once_and_cleared_once(tmp_path, drop):
    found = [row for row in run(tmp_path, drop) if row[2] == "kept"]
    assert [kind for kind, *_ in found] == [RAISED, CLEARED]
    raised, cleared = (row[3] for row in found)
    assert drop[21].date.isoformat() < raised <= drop[25].date.isoformat()
    assert drop[28].date.isoformat() < cleared


def test_how_often_the_monitor_runs_changes_nothing(tmp_path, drop):
    at_once = run(tmp_path / "once", drop)
    for n in (10, 22, 23, 23, 30):
        run(tmp_path / "often", drop[:n])
    assert run(tmp_path / "often", drop) == at_once
    assert run(tmp_path / "often", drop) == at_once


def test_a_clock_that_was_ten_years_ahead_does_not_stop_the_watch(tmp_path, drop):
    """Two quiet weeks, a look with a clock that is wrong, one when it is right again, and then the drop: it must be raised."""
    run(tmp_path, drop[:14], until=drop[13].date + timedelta(days=3650))
    run(tmp_path, drop[:15])
    found = [row for row in run(tmp_path, drop[:28]) if row[2] == "kept"]
    assert [kind for kind, *_ in found] == [RAISED]


def test_a_clock_a_day_behind_judges_no_day_twice(tmp_path, drop):
    at_once = run(tmp_path / "once", drop)
    for n in (10, 23, 22, 24, 23):
        run(tmp_path / "back", drop[:n])
    assert run(tmp_path / "back", drop) == at_once


def test_an_open_alarm_is_told_with_measure_value_limit_n_and_window(tmp_path, drop):
    run(tmp_path, drop[:26])
    (found,) = [a for a in open_alarms(tmp_path) if a.measure == "kept"]
    assert found.severity == "error" and found.n >= 40 and found.limit == 0.1
    for part in (
        "Share of the draft kept",
        "points, beyond the limit of 10 points",
        f"n = {found.n}",
        found.first,
        found.last,
    ):
        assert part in found.text
    assert open_alarms(tmp_path / "nothing") == []


KILLED = """
import os, signal, sys
from datetime import date
from pathlib import Path
from preceptor.monitoring import alarms, judging
from preceptor.monitoring.references import References
from preceptor.monitoring.rules import TrafficSettings
from preceptor.monitoring.windows import Log, Subject
log, folder, last = Log(Path(sys.argv[1])), Path(sys.argv[2]), date.fromisoformat(sys.argv[3])
def note(self, kind, alarm, **more):
    noted(self, kind, alarm, **more)
    os.kill(os.getpid(), signal.SIGKILL)
noted, alarms.AlarmStore.note = alarms.AlarmStore.note, note
store, settings = alarms.AlarmStore(folder), TrafficSettings()
with store.transaction():
    judging.judge(store, log, References(log, settings, "preceptor/1"), [Subject("served", "preceptor/1")], settings, last)
"""


def test_killed_as_it_raises_the_next_run_raises_it_once(tmp_path, drop):
    simulation.write(tmp_path / "log", drop[:26])
    last = drop[25].date
    command = [sys.executable, "-c", KILLED, str(tmp_path / "log"), str(tmp_path / "m"), last.isoformat()]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    assert open_alarms(tmp_path / "m") == []
    log = Log(tmp_path / "log")
    for _ in range(2):
        store = AlarmStore(tmp_path / "m")
        with store.transaction():
            judge(store, log, References(log, SETTINGS, CHAMPION), WATCHED, SETTINGS, last)
        kinds = [(e.kind, e.measure) for e in store.history()]
        store.close()
    assert kinds.count((RAISED, "kept")) == 1


def test_what_is_not_watched_any_more_is_cleared_and_says_why(tmp_path, drop):
    run(tmp_path, drop[:26])
    store = AlarmStore(tmp_path)
    log = MemoryLog(drop[:26])
    with store.transaction():
        judge(store, log, References(log, SETTINGS, None), [SERVICE], SETTINGS, drop[25].date)
    last = store.history()[-1]
    assert (last.kind, last.facts["why"]) == (CLEARED, "it is not watched any more")
    assert store.open() == []
    store.close()


def test_a_new_champion_is_held_against_the_one_before_until_it_has_days_of_its_own(tmp_path):
    made, usual = Simulation(13, MONDAY), Truth(volume=150)
    days = list(made.days(usual, 16))
    days += made.days(shifted(usual, kept=0.5, longer_answers=0.8), 6, version="preceptor/2")
    found = {measure for kind, _, measure, _ in run(tmp_path, days, version="preceptor/2") if kind == RAISED}
    assert "kept" in found  # it does worse than its predecessor
    assert "answer_length" not in found  # that it writes otherwise is what it was trained for
