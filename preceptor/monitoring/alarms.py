"""Alarms: raised after so many bad windows in a row, cleared only after so many good ones, and kept so that a kill loses none.

One SQLite file, `HOME/monitoring/alarms.db`: how far each measure was watched, what is raised, and a history that only grows. A
run is one transaction: killed, it has not been, and the next one judges the same windows and raises the same alarms once.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

from preceptor.monitoring.measures import MEASURES
from preceptor.monitoring.readings import Reading
from preceptor.monitoring.rules import Rule
from preceptor.vault.database import connect, transaction
from preceptor.vault.schema import Schema

ALARMS = "alarms.db"
RAISED, CLEARED, ROLLED_BACK, NOT_ROLLED_BACK = "raised", "cleared", "rolled_back", "not_rolled_back"
Verdict = Literal["bad", "good", "between"]
_SCHEMA = Schema(
    "the alarms",
    """
CREATE TABLE IF NOT EXISTS watched (
    subject TEXT NOT NULL, measure TEXT NOT NULL, since TEXT NOT NULL, bad INTEGER NOT NULL, good INTEGER NOT NULL,
    raised TEXT, PRIMARY KEY (subject, measure)) STRICT;
CREATE TABLE IF NOT EXISTS history (
    id INTEGER PRIMARY KEY, at TEXT NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL, measure TEXT NOT NULL,
    facts TEXT NOT NULL) STRICT;
""",
)


@dataclass(frozen=True, slots=True)
class Alarm:
    """A measure that is beyond its limit. `first` and `last` are the days of the window that raised it; `score` is what `limit`
    bounds, `value` and `reference` are what people know it by; `chance` as in `Reading`."""

    subject: str
    measure: str
    severity: str
    value: float | None
    reference: float | None
    score: float
    limit: float
    clear: float
    n: int
    chance: float
    first: str
    last: str
    detail: str = ""

    @property
    def text(self) -> str:
        """One sentence: measure, value, limit, n, window. Green."""
        measure = MEASURES[self.measure]
        what = f" ({self.detail})" if self.detail else ""
        if measure.unit in ("index", "difference"):
            value = f"{shown(self.score, measure.unit)}, limit {shown(self.limit, measure.unit)}"
        else:
            usual = "" if self.reference is None else f", usually {shown(self.reference, measure.unit)}"
            score, limit = f"{self.score:.3g}", f"{self.limit:g}"
            if measure.unit == "share":  # in the words of the page: 37 points, not 0.37
                score, limit = f"{100 * self.score:.3g} points", f"{100 * self.limit:g} points"
            value = f"{shown(self.value, measure.unit)}{usual}; {score}, beyond the limit of {limit}"
        return f"{self.subject}: {measure.title}{what}: {value} (n = {self.n}, {self.first} to {self.last})"


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the history; `facts` are the alarm's; with `cleared_by`, the last of the good windows, or `why` where it
    was cleared for another reason."""

    id: int
    at: str
    kind: str
    subject: str
    measure: str
    facts: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Watched:
    """How far a measure of a subject was judged: `since` is the first day of the next window, `bad` and `good` how many such
    windows came in a row."""

    since: date
    bad: int = 0
    good: int = 0
    raised: Alarm | None = None


def shown(value: float | None, unit: str) -> str:
    """A value as people read it."""
    if value is None:
        return "–"
    if unit == "share":
        return f"{100 * value:.1f} %"
    return {
        "difference": f"{100 * value:.1f} points",
        "seconds": f"{value:.2f} s",
        "requests": f"{value:.0f} a day",
    }.get(unit, f"{value:.2f}")


def verdict(reading: Reading, rule: Rule) -> Verdict:
    """What a window says. A reading without a score says nothing and is not asked about."""
    assert reading.score is not None and reading.chance is not None
    if reading.score > rule.limit and reading.chance < rule.significance:
        return "bad"
    return "good" if reading.score <= rule.clear else "between"


def step(state: Watched, said: Verdict, alarm: Alarm, rule: Rule, next_day: date) -> tuple[Watched, str]:
    """Count a window; return the new state, and `raised`, `cleared` or nothing. One that is neither bad nor good breaks both
    rows, so that what hovers about a limit neither raises nor clears."""
    bad = state.bad + 1 if said == "bad" else 0
    good = state.good + 1 if said == "good" else 0
    if state.raised is None and bad >= rule.raise_after:
        return Watched(next_day, bad, 0, alarm), RAISED
    if state.raised is not None and good >= rule.clear_after:
        return Watched(next_day, 0, good), CLEARED
    return replace(state, since=next_day, bad=bad, good=good), ""


class AlarmStore:
    """The file of alarms. Changes belong in `transaction`, which only one process holds at a time."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._db = connect(folder / ALARMS)
        _SCHEMA.prepare(self._db)

    def close(self) -> None:
        self._db.close()

    def transaction(self) -> AbstractContextManager[None]:
        return transaction(self._db)

    def watched(self, subject: str, measure: str) -> Watched | None:
        query = "SELECT since, bad, good, raised FROM watched WHERE subject = ? AND measure = ?"
        row = self._db.execute(query, (subject, measure)).fetchone()
        return _watched(row) if row else None

    def keep(self, subject: str, measure: str, state: Watched) -> None:
        raised = json.dumps(asdict(state.raised)) if state.raised else None
        values = (subject, measure, state.since.isoformat(), state.bad, state.good, raised)
        self._db.execute("INSERT OR REPLACE INTO watched VALUES (?, ?, ?, ?, ?, ?)", values)

    def note(self, kind: str, alarm: Alarm, **more: Any) -> None:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        facts = json.dumps(asdict(alarm) | more)
        query = "INSERT INTO history (at, kind, subject, measure, facts) VALUES (?, ?, ?, ?, ?)"
        self._db.execute(query, (at, kind, alarm.subject, alarm.measure, facts))

    def open(self) -> list[Alarm]:
        """What is raised now, errors first."""
        query = "SELECT raised FROM watched WHERE raised IS NOT NULL ORDER BY subject, measure"
        found = [Alarm(**json.loads(text)) for (text,) in self._db.execute(query)]
        return sorted(found, key=lambda alarm: alarm.severity != "error")

    def rolled_back(self) -> dict[str, str]:
        """The versions that the monitor rolled back, each with the one that came back."""
        return {e.subject: e.facts["champion"] for e in self.history() if e.kind == ROLLED_BACK}

    def history(self, since: int = 0) -> list[Entry]:
        """What was raised and cleared, after the entry `since`, oldest first."""
        query = "SELECT id, at, kind, subject, measure, facts FROM history WHERE id > ? ORDER BY id"
        return [
            Entry(number, at, kind, subject, measure, json.loads(facts))
            for number, at, kind, subject, measure, facts in self._db.execute(query, (since,))
        ]


def open_alarms(folder: Path) -> list[Alarm]:
    """What is raised in `HOME/monitoring` at the last run of the monitor; nothing before the first."""
    if not (folder / ALARMS).exists():
        return []
    store = AlarmStore(folder)
    try:
        return store.open()
    finally:
        store.close()


def _watched(row: sqlite3.Row) -> Watched:
    since, bad, good, raised = row
    return Watched(date.fromisoformat(since), bad, good, Alarm(**json.loads(raised)) if raised else None)
