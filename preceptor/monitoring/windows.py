"""The traffic log as days, and the days of one subject: the service as a whole, or a version in one role."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from preceptor.serving import traffic
from preceptor.serving.traffic import Feedback, Served

# How far back an answer is looked for that feedback of a day belongs to.
FEEDBACK_DAYS = 30


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Day:
    """What one day's file holds. `feedback` stands beside the answer it is about, None if that is not in the log any more;
    `words`: side (`prompt`, `answer`) -> version -> bucket -> count."""

    date: date
    requests: tuple[Served, ...] = ()
    feedback: tuple[tuple[Feedback, Served | None], ...] = ()
    words: dict[str, dict[str, Counter[int]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a measure is of. `role` is one of the log's, or `service`: all that was asked, whoever answered."""

    role: str
    version: str = ""

    @property
    def name(self) -> str:
        """As alarms and their history call it: `service`, a version that is served, or `canary VERSION`."""
        return {"service": self.role, "served": self.version}.get(self.role, f"{self.role} {self.version}")


SERVICE = Subject("service")


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """The traffic of a subject on some days, one `Day` each, oldest first; days without a file are empty ones."""

    days: tuple[Day, ...]

    @property
    def first(self) -> date:
        return self.days[0].date

    @property
    def last(self) -> date:
        return self.days[-1].date

    @property
    def answers(self) -> list[Served]:
        return [served for day in self.days for served in day.requests]


def read_day(folder: Path, day: date) -> Day:
    """The file of a day; an empty day if there is none."""
    given = list(traffic.feedback(folder, day, day))
    answers = traffic.answers_of(folder, {f.request_id for f in given}, day, FEEDBACK_DAYS)
    return Day(
        day,
        tuple(traffic.requests(folder, day, day)),
        tuple((f, answers.get(f.request_id)) for f in given),
        {side: traffic.words(folder, side, day, day) for side in ("prompt", "answer")},
    )


class Log:
    """The days of a folder, each read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._days: dict[date, Day] = {}
        self._mine: dict[tuple[Subject, date], Day] = {}
        self.known = traffic.days(folder) if folder.is_dir() else []  # the days that have a file

    @property
    def first(self) -> date | None:
        """The oldest day that has a file."""
        return self.known[0] if self.known else None

    def day(self, day: date) -> Day:
        if day not in self._days:
            self._days[day] = read_day(self._folder, day) if day in self.known else Day(day)
        return self._days[day]

    def day_of(self, subject: Subject, day: date) -> Day:
        """What of a day is the subject's; the same object every time."""
        if (subject, day) not in self._mine:
            self._mine[subject, day] = _of(subject, self.day(day))
        return self._mine[subject, day]

    def sample(self, subject: Subject, first: date, last: date) -> Sample:
        """A subject's traffic from `first` to `last`, both included."""
        return Sample(tuple(self.day_of(subject, day) for day in calendar(first, last)))

    def first_day(self, subject: Subject) -> date | None:
        """The first day on which a version answered in a role; None if it never did."""
        answered = (
            day for day in self.known if traffic.answered(self._folder, day, subject.role, subject.version)
        )
        return next(answered, None)


class MemoryLog(Log):
    """The same of days that are not on the disk, as simulation makes them."""

    def __init__(self, days: Iterable[Day]) -> None:
        self._days = {day.date: day for day in days}
        self._mine = {}
        self.known = sorted(self._days)

    def day(self, day: date) -> Day:
        return self._days.get(day, Day(day))

    def first_day(self, subject: Subject) -> date | None:
        return next((d for d in self.known if self.day_of(subject, d).requests), None)


def calendar(first: date, last: date) -> Iterator[date]:
    """Every day from `first` to `last`, both included; none if they lie the other way."""
    for n in range((last - first).days + 1):
        yield first + timedelta(days=n)


def _of(subject: Subject, day: Day) -> Day:
    if subject.role == "service":
        return Day(day.date, tuple(r for r in day.requests if r.role != "shadow"))
    mine = tuple(r for r in day.requests if r.role == subject.role and r.version == subject.version)
    feedback = tuple(
        (f, r)
        for f, r in day.feedback
        if f.version == subject.version and (r is None or r.role == subject.role)
    )
    words = {
        side: {subject.version: found.get(subject.version, Counter())} for side, found in day.words.items()
    }
    return Day(day.date, mine, feedback, words)


def subjects(days: Iterable[Day]) -> list[Subject]:
    """The versions that answered, by role and name."""
    found = {(r.role, r.version) for day in days for r in day.requests if r.version}
    return [Subject(role, version) for role, version in sorted(found)]
