"""The record of decisions about retraining: HOME/monitoring/retraining.db. Green, and only ever added to.

    due       the calendar asked for a retraining
    decided   started or withheld, with causes, rule, and what had been seen; its id is the decision's
    launched  which run it became; a run that somebody started by hand gets a decision when it is found
    result    what the run brought, by the run's id
    ended     the run came to its end, or none was ever started

A start is written down before a run is asked for. Killed in between, the next tick finds it open and asks for the same run
again, by the same key; nothing is decided anew as long as a start is open.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from preceptor.monitoring.causes import History, Reason, Seen
from preceptor.monitoring.retraining import Decision
from preceptor.vault.database import connect, transaction
from preceptor.vault.schema import Schema

FILE = "retraining.db"
KINDS = ("due", "decided", "launched", "result", "ended")
CANDIDATE, NOT_BETTER, NOTHING_NEW = "candidate", "not-better", "nothing-new"  # what a run may bring
FAILED, UNKNOWN = "failed", "unknown"  # it ended without; failed, or for no reason that is known
BY_HAND = "by-hand"
_SCHEMA = Schema(
    "the record of retraining",
    f"""
CREATE TABLE IF NOT EXISTS events (
    id INTEGER PRIMARY KEY, at TEXT NOT NULL, kind TEXT NOT NULL CHECK (kind IN {KINDS!r}),
    decision INTEGER, run_id TEXT, payload TEXT NOT NULL) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS once_a_decision ON events (decision, kind) WHERE kind IN ('launched', 'ended');
CREATE UNIQUE INDEX IF NOT EXISTS once_a_run ON events (run_id) WHERE kind = 'result';
CREATE TRIGGER IF NOT EXISTS events_stay BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'events are never changed'); END;
CREATE TRIGGER IF NOT EXISTS events_remain BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, 'events are never removed'); END;
""",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A decision and all that came of it. `outcome` is one of the five words above, or empty while it is open or if it was
    withheld."""

    id: int
    at: datetime
    champion: str | None
    causes: tuple[Reason, ...]
    started: bool
    withheld_by: str
    why: str
    key: str
    seen: Seen
    run_id: str = ""
    outcome: str = ""
    version: str = ""
    note: str = ""
    ended_at: datetime | None = None
    minutes: float = 0.0

    @property
    def open(self) -> bool:
        """Whether it was started and has not ended."""
        return self.started and self.ended_at is None

    def facts(self) -> dict[str, Any]:
        """The same as a JSON-able mapping."""
        return {
            "decision": self.id,
            "at": self.at.isoformat(timespec="seconds"),
            "champion": self.champion,
            "causes": {reason.cause: reason.text for reason in self.causes},
            "started": self.started,
            "withheld_by": self.withheld_by or None,
            "why": self.why,
            "run_id": self.run_id or None,
            "outcome": self.outcome or None,
            "version": self.version or None,
            "note": self.note or None,
            "ended_at": self.ended_at.isoformat(timespec="seconds") if self.ended_at else None,
            "minutes": round(self.minutes, 1),
        }


class Record:
    """An open record; use `open_record`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._db = connect(folder / FILE)
        _SCHEMA.prepare(self._db)

    def close(self) -> None:
        self._db.close()

    def note_due(self, at: datetime) -> None:
        """The calendar asks for a retraining; the same time again changes nothing."""
        with transaction(self._db):
            if self.due() != (said := _iso(at)):
                self._add(at, "due", None, "", {"due": said})

    def due(self) -> str:
        """When the calendar last asked, as ISO 8601 in UTC; empty: never."""
        row = self._db.execute("SELECT payload FROM events WHERE kind = 'due' ORDER BY id DESC LIMIT 1")
        found = row.fetchone()
        return json.loads(found[0])["due"] if found else ""

    def decided(
        self, decision: Decision, champion: str | None, seen: Seen, at: datetime, last_start: int | None
    ) -> Entry | None:
        """Write a decision down and return it; of one that is withheld as before, the entry that says so already.

        `last_start` is the last started decision that the facts took into account; None is returned, and nothing
        written, if there is a later one, or one that is open: another process was quicker.
        """
        with transaction(self._db):
            entries = self.entries()
            starts = [entry for entry in entries if entry.started]
            if decision.start and (
                (starts[-1].id if starts else None) != last_start or any(entry.open for entry in starts)
            ):
                return None
            same = (decision.key(champion), decision.withheld_by)
            if entries and not decision.start and (entries[-1].key, entries[-1].withheld_by) == same:
                return entries[-1]
            id = self._decide(decision, champion, seen, at)
        return self.entry(id)

    def launched(self, decision: int, run_id: str, at: datetime) -> None:
        """A decision has become this run."""
        self._once(at, "launched", decision, run_id, {})

    def adopt(self, run_id: str, champion: str | None, at: datetime) -> Entry:
        """A run that no decision started: somebody did. It counts for what may run and when, like any other."""
        reason = Reason(BY_HAND, "somebody started it", run_id)
        decision = Decision(True, (reason,), "", "the policy was not asked")
        with transaction(self._db):
            id = self._decide(decision, champion, Seen(), at)
            self._add(at, "launched", id, run_id, {})
        return self.entry(id)

    def result(self, run_id: str, outcome: str, version: str, note: str, at: datetime) -> None:
        """What a run brought: CANDIDATE, NOT_BETTER or NOTHING_NEW, the version's ref, and a note without text of cases."""
        self._once(at, "result", None, run_id, {"outcome": outcome, "version": version, "note": note})

    def ended(self, decision: int, failed: bool, note: str, minutes: float, at: datetime) -> None:
        """A decision's run came to its end; `note` says how it failed, if it did."""
        payload = {"failed": failed, "note": note, "minutes": round(minutes, 4)}
        self._once(at, "ended", decision, "", payload)

    def entry(self, id: int) -> Entry:
        """One decision by its id."""
        return next(entry for entry in self.entries() if entry.id == id)

    def entries(self) -> list[Entry]:
        """All decisions, the earliest first."""
        rows = self._db.execute("SELECT id, at, kind, decision, run_id, payload FROM events ORDER BY id")
        decided, runs, ends, results = {}, {}, {}, {}
        for id, at, kind, decision, run_id, text in rows:
            payload = json.loads(text)
            if kind == "decided":
                decided[id] = (datetime.fromisoformat(at), payload)
            elif kind == "launched":
                runs[decision] = run_id
            elif kind == "ended":
                ends[decision] = (datetime.fromisoformat(at), payload)
            elif kind == "result":
                results[run_id] = payload
        return [
            _entry(id, at, payload, runs.get(id, ""), ends.get(id), results.get(runs.get(id, "")))
            for id, (at, payload) in decided.items()
        ]

    def tried(self, champion: str | None) -> Entry | None:
        """The last retraining about this champion that did not fail. Not one that was started by hand: what had been seen
        when it began is not known, so that nothing counts as answered by it."""
        found = [
            entry
            for entry in self.entries()
            if entry.started
            and entry.champion == champion
            and entry.outcome != FAILED
            and BY_HAND not in {reason.cause for reason in entry.causes}
        ]
        return found[-1] if found else None

    def alarms_answered(self) -> tuple[str, ...]:
        """Alarms that a retraining has seen, whichever champion it was about: a later champion need not answer to them."""
        found = [e for e in self.entries() if e.started and e.outcome != FAILED]
        return tuple(sorted({alarm for entry in found for alarm in entry.seen.alarms}))

    def history(self, now: datetime, running: str = "") -> History:
        """What the policy asks of earlier retrainings. One that is open is at work, whatever `running` says."""
        starts = [entry for entry in self.entries() if entry.started]
        is_open = next((entry for entry in starts if entry.open), None)
        if is_open is not None and not running:
            running = f"the retraining of decision {is_open.id} is at work"
        done = [entry for entry in starts if entry.ended_at is not None]
        whole = [entry for entry in done if entry.outcome != FAILED]
        month = [entry for entry in starts if _month(entry.at) == _month(now)]
        return History(
            running=running,
            last_end=whole[-1].ended_at if whole else None,
            fruitless=bool(whole) and whole[-1].outcome in (NOT_BETTER, NOTHING_NEW),
            failed_at=done[-1].ended_at if done and done[-1].outcome == FAILED else None,
            runs_this_month=len(month),
            minutes_this_month=sum(entry.minutes for entry in month),
        )

    def _decide(self, decision: Decision, champion: str | None, seen: Seen, at: datetime) -> int:
        payload = {
            "champion": champion,
            "causes": [asdict(reason) for reason in decision.causes],
            "started": decision.start,
            "withheld_by": decision.withheld_by,
            "why": decision.why,
            "key": decision.key(champion),
            "seen": asdict(seen),
        }
        return self._add(at, "decided", None, "", payload)

    def _add(
        self, at: datetime, kind: str, decision: int | None, run_id: str, payload: dict[str, Any]
    ) -> int:
        text = json.dumps(payload, sort_keys=True, ensure_ascii=False)
        added = self._db.execute(
            "INSERT INTO events (at, kind, decision, run_id, payload) VALUES (?, ?, ?, ?, ?)",
            (_iso(at), kind, decision, run_id, text),
        )
        assert added.lastrowid is not None
        return added.lastrowid

    def _once(
        self, at: datetime, kind: str, decision: int | None, run_id: str, payload: dict[str, Any]
    ) -> None:
        try:
            self._add(at, kind, decision, run_id, payload)
        except sqlite3.IntegrityError:
            return  # written by whoever was here before and killed


@contextmanager
def open_record(folder: Path) -> Iterator[Record]:
    """The record in the folder of monitoring, made if it is not there."""
    with closing(Record(folder)) as record:
        yield record


def _entry(
    id: int,
    at: datetime,
    decided: dict[str, Any],
    run_id: str,
    end: tuple[datetime, dict[str, Any]] | None,
    result: dict[str, Any] | None,
) -> Entry:
    outcome, version, note, minutes = "", "", "", 0.0
    if result is not None:
        outcome, version, note = result["outcome"], result["version"], result["note"]
    if end is not None:
        minutes = end[1]["minutes"]
        if not outcome:  # a run that was killed after its result has brought it all the same
            outcome, note = FAILED if end[1]["failed"] else UNKNOWN, end[1]["note"]
    seen = decided["seen"]
    return Entry(
        id=id,
        at=at,
        champion=decided["champion"],
        causes=tuple(Reason(**reason) for reason in decided["causes"]),
        started=decided["started"],
        withheld_by=decided["withheld_by"],
        why=decided["why"],
        key=decided["key"],
        seen=Seen(**{**seen, "alarms": tuple(seen["alarms"])}),
        run_id=run_id,
        outcome=outcome,
        version=version,
        note=note,
        ended_at=end[0] if end else None,
        minutes=minutes,
    )


def _month(at: datetime) -> tuple[int, int]:
    utc = at.astimezone(UTC)
    return utc.year, utc.month


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")
