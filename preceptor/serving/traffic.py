"""What production was asked and answered, in numbers: the log that monitoring reads. Green: no text, no identifier.

One SQLite file for every day (UTC), `HOME/serving/traffic/2026-11-29.db`, so that keeping a log for so many days is
deleting files. Three tables:

    requests    one row an answer (`Served`): the champion's, a canary's, or a shadow's that nobody was shown
    feedback    one row for what a clinician did with an answer (`Feedback`), in the file of the day it was given
    words       how often words of each of 256 hash buckets came in prompts and answers, of a version, that day

A row of `requests` is written when its answer has ended, whatever way; `outcome` says which. One that was turned away
before a version was chosen (`rejected`, `rate-limited`, `shed`) has an empty version. Columns that describe the case
(`task`, `note_type`, …) come from the client and hold only values of closed lists (`serving.labels` of the settings);
anything else is `other`, since a client may put anything there.

Words are counted by bucket and day, never by request: a request's own counts would tell whether it holds a given name.

Writers: the gateway. Readers: `requests`, `feedback`, `words` below; they may read while it writes.
"""

from __future__ import annotations

import re
import sqlite3
import threading
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, fields
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from preceptor.private_files import make_private_folder
from preceptor.vault.database import connect, transaction
from preceptor.vault.schema import Schema

BUCKETS = 256
ROLES = ("served", "canary", "shadow")
OUTCOMES = (
    "stop",  # the model ended its answer, or a stop string did
    "length",  # cut off at max_tokens
    "disconnected",  # the client went away, generation was stopped
    "timeout",  # cut off at serving.max_seconds
    "shed",  # turned away: the queue was full, or the wait in it too long
    "rate-limited",
    "rejected",  # a wrong request, or one without the right key
    "error",
)
_AT_ONCE = 500  # values of one query; SQLite took 999 at most before 3.32
_WORD = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True, slots=True)
class Served:
    """One answer. Lengths in characters and tokens, times in seconds.

    `queue_seconds` until its prompt was begun, `first_token_seconds` and `seconds` from arrival to the first and the
    last token (0 if there was none). `status` is the HTTP status (0 for a shadow's), `pair_of` the request that a shadow
    was answered beside. `key_id` names the API key ("" without keys). `retrieved`: earlier cases that were shown.
    `abstained` and `leak_hits` are None where that was not looked for.
    """

    request_id: str
    at: str  # arrival, ISO 8601 in UTC
    endpoint: str  # chat | completions
    role: str  # one of ROLES
    pair_of: str
    version: str  # NAME/VERSION
    alias: str
    key_id: str
    status: int
    outcome: str  # one of OUTCOMES
    stream: bool
    task: str
    note_type: str
    specialty: str
    language: str
    sex: str
    age_band: str
    prompt_tokens: int
    new_tokens: int
    prompt_characters: int
    answer_characters: int
    retrieved: int
    queue_seconds: float
    first_token_seconds: float
    seconds: float
    abstained: bool | None = None
    leak_hits: int | None = None


@dataclass(frozen=True, slots=True)
class Feedback:
    """What was done with an answer. `kept` is the share of the draft's words that survive in the final text, 0 to 1, None
    if no final text was sent; `rating` is 1 (useless) to 5, None if there was none. `version` is the answer's."""

    request_id: str
    at: str
    version: str
    rating: int | None
    kept: float | None


_TYPES = {
    "str": "TEXT NOT NULL",
    "int": "INTEGER NOT NULL",
    "float": "REAL NOT NULL",
    "bool": "INTEGER NOT NULL",
}
_TYPES |= {"bool | None": "INTEGER", "int | None": "INTEGER", "float | None": "REAL"}


def _columns(kind: type) -> str:
    return ", ".join(f"{f.name} {_TYPES[str(f.type)]}" for f in fields(kind))


# New columns only come at the end: rows are written whole.
_SCHEMA = Schema(
    "a day of the traffic log",
    f"""
CREATE TABLE IF NOT EXISTS requests ({_columns(Served)}, PRIMARY KEY (request_id)) STRICT;
CREATE TABLE IF NOT EXISTS feedback ({_columns(Feedback)}) STRICT;
CREATE TABLE IF NOT EXISTS words (
    version TEXT NOT NULL, side TEXT NOT NULL, bucket INTEGER NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (version, side, bucket)) STRICT;
""",
)


class TrafficLog:
    """The writer's side. Every row is committed by itself: a kill loses no answer that had ended. Safe for threads."""

    def __init__(self, folder: Path) -> None:
        make_private_folder(folder)
        self.folder = folder
        self._lock = threading.Lock()
        self._day = ""
        self._db: sqlite3.Connection | None = None

    def close(self) -> None:
        with self._lock:
            if self._db:
                self._db.close()
            self._db, self._day = None, ""

    def add(self, served: Served, prompt: str = "", answer: str = "") -> str:
        """Write a row, and count the words of the two texts; of the texts nothing else is kept. Return the day whose file
        it is in."""
        with self._lock:
            db = self._today()
            with transaction(db):
                marks = ", ".join("?" * len(fields(Served)))
                db.execute(f"INSERT OR REPLACE INTO requests VALUES ({marks})", astuple(served))
                for side, text in (("prompt", prompt), ("answer", answer)):
                    db.executemany(
                        "INSERT INTO words VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
                        [
                            (served.version, side, bucket, n)
                            for bucket, n in sorted(word_buckets(text).items())
                        ],
                    )
            return self._day

    def add_leak_hits(self, request_id: str, day: str, hits: int) -> None:
        """Fill in what was found in an answer that is in the file of `day`."""
        query = "UPDATE requests SET leak_hits = ? WHERE request_id = ?"
        with self._lock:
            if day == self._day and self._db:
                self._db.execute(query, (hits, request_id))
                return
        db = open_day(self.folder, day)
        try:
            db.execute(query, (hits, request_id))
        finally:
            db.close()

    def add_feedback(self, feedback: Feedback) -> None:
        with self._lock:
            self._today().execute("INSERT INTO feedback VALUES (?, ?, ?, ?, ?)", astuple(feedback))

    def _today(self) -> sqlite3.Connection:
        day = datetime.now(UTC).date().isoformat()
        if self._db is None or day != self._day:
            if self._db:
                self._db.close()
            self._db = open_day(self.folder, day)
            self._day = day
        return self._db


def open_day(folder: Path, day: str) -> sqlite3.Connection:
    """The file of a day (ISO 8601) to write to, made with its tables if it is not there."""
    db = connect(folder / f"{day}.db", any_thread=True)
    db.execute("PRAGMA synchronous=NORMAL")
    _SCHEMA.prepare(db)
    return db


def word_buckets(text: str) -> Counter[int]:
    """How many words of a text fall in each of 256 buckets: case aside, by CRC-32. For text of any origin, so that
    production can be compared with what a version was trained on.

    >>> word_buckets("Cough, cough.") == {zlib.crc32(b"cough") % BUCKETS: 2}
    True
    """
    return Counter(zlib.crc32(word.lower().encode()) % BUCKETS for word in _WORD.findall(text))


def days(folder: Path, since: date | None = None, until: date | None = None) -> list[date]:
    """The days that have a file, from `since` to `until`, both included."""
    found = sorted(date.fromisoformat(path.stem) for path in folder.glob("????-??-??.db"))
    return [day for day in found if (since is None or day >= since) and (until is None or day <= until)]


def requests(folder: Path, since: date | None = None, until: date | None = None) -> Iterator[Served]:
    """The answers of those days, in the order in which they ended."""
    return _served(folder, "ORDER BY rowid", since, until)


def feedback(folder: Path, since: date | None = None, until: date | None = None) -> Iterator[Feedback]:
    """What clinicians said and kept, by the day they did; `request_id` is that of an answer of that day or before."""
    query = "SELECT request_id, at, version, rating, kept FROM feedback ORDER BY rowid"
    return (Feedback(*row) for row in _rows(folder, query, since, until))


def words(
    folder: Path, side: str, since: date | None = None, until: date | None = None
) -> dict[str, Counter[int]]:
    """The counts of words by bucket, for every version; `side` is `prompt` or `answer`. Shadows count for their own."""
    found: dict[str, Counter[int]] = {}
    for version, bucket, count in _rows(
        folder, "SELECT version, bucket, count FROM words WHERE side = ?", since, until, (side,)
    ):
        found.setdefault(version, Counter())[bucket] += count
    return found


def find(folder: Path, request_id: str, within_days: int = 60) -> Served | None:
    """The row of one request of the last days, newest day first; None if there is none."""
    since = datetime.now(UTC).date() - timedelta(days=within_days)
    for day in reversed(days(folder, since)):
        for served in _served(folder, "WHERE request_id = ?", day, day, (request_id,)):
            return served
    return None


def answered(folder: Path, day: date, role: str, version: str) -> bool:
    """Whether a version answered anything in a role that day."""
    query = "SELECT 1 FROM requests WHERE role = ? AND version = ? LIMIT 1"
    return any(True for _ in _rows(folder, query, day, day, (role, version)))


def answers_of(folder: Path, request_ids: set[str], until: date, within_days: int) -> dict[str, Served]:
    """The rows of these requests from `within_days` before `until` to it; those that are not there are left out."""
    found: dict[str, Served] = {}
    for day in reversed(days(folder, until - timedelta(days=within_days), until)):
        missing = sorted(request_ids - set(found))
        for n in range(0, len(missing), _AT_ONCE):
            some = missing[n : n + _AT_ONCE]
            marks = ", ".join("?" * len(some))
            for served in _served(folder, f"WHERE request_id IN ({marks})", day, day, some):
                found[served.request_id] = served
    return found


def discard_before(folder: Path, day: date) -> int:
    """Delete the files of days before `day`; return how many."""
    old = days(folder, until=day - timedelta(days=1))
    for each in old:
        for path in folder.glob(f"{each.isoformat()}.db*"):
            path.unlink()
    return len(old)


def _rows(
    folder: Path, query: str, since: date | None, until: date | None, values: Iterable[object] = ()
) -> Iterator[tuple]:
    for day in days(folder, since, until):
        db = connect(folder / f"{day.isoformat()}.db")
        try:
            yield from db.execute(query, tuple(values))
        finally:
            db.close()


def _served(
    folder: Path, which: str, since: date | None, until: date | None, values: Iterable[object] = ()
) -> Iterator[Served]:
    names = [f.name for f in fields(Served)]
    for row in _rows(folder, f"SELECT {', '.join(names)} FROM requests {which}", since, until, values):
        found = dict(zip(names, row, strict=True))
        for name in ("stream", "abstained"):
            found[name] = None if found[name] is None else bool(found[name])
        yield Served(**found)
