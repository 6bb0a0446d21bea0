"""What each measure of each subject is compared with.

- The service: the days before the window, since the use of it may grow.
- The champion: its own first days in use. Until they are over, for what a new version must not do worse and for the cases it is
  given: the last days of the champion before. With `reference: training`, for cases and answers, what it was trained on.
- A canary: the champion on the same days.
"""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

from preceptor.monitoring.measures import Measure
from preceptor.monitoring.rules import TrafficSettings
from preceptor.monitoring.windows import SERVICE, Log, Sample, Subject, calendar

_DAY = timedelta(days=1)


class References:
    """Looks them up in a log, each once. `training` is what the champion was trained on, as `training_sample` makes it."""

    def __init__(
        self, log: Log, settings: TrafficSettings, champion: str | None, training: Sample | None = None
    ) -> None:
        self._log, self._settings = log, settings
        self._champion = Subject("served", champion) if champion else None
        self.training = training
        self._first: dict[Subject, date | None] = {}
        self._own: dict[Subject, Sample | None] = {}
        self._before: dict[Subject, Sample | None] = {}

    def of(self, subject: Subject, measure: Measure, window: Sample) -> Sample | None:
        """The reference of a window; None while there is none."""
        count = self._settings.reference_days
        if subject == SERVICE:
            first = window.first - count * _DAY
            if self._log.first is None or first < self._log.first:
                return None
            return self._log.sample(SERVICE, first, window.first - _DAY)
        if subject.role != "served":
            if self._champion is None:
                return None
            return self._log.sample(self._champion, window.first, window.last)
        if self._settings.reference == "training" and measure.of_cases:
            return self.training
        own = self.own(subject, window.last)
        if own is not None and window.first > own.last:
            return own
        return self.before(subject) if measure.lasting else None

    def first_day(self, subject: Subject) -> date | None:
        """The first day on which a version answered in this role."""
        if subject not in self._first:
            self._first[subject] = self._log.first_day(subject)
        return self._first[subject]

    def own(self, subject: Subject, until: date) -> Sample | None:
        """Its first days with traffic, once there are enough of them before `until`."""
        if self._own.get(subject) is None:
            first = self.first_day(subject)
            self._own[subject] = self._some(subject, list(calendar(first, until))) if first else None
        found = self._own[subject]
        return found if found and found.last < until else None

    def before(self, subject: Subject) -> Sample | None:
        """The last days of the version that answered by an alias before this one did."""
        if subject not in self._before:
            first, other = self.first_day(subject), None
            if first and self._log.first:
                days = list(reversed(list(calendar(self._log.first, first - _DAY))))
                other = next((v for day in days if (v := self._leading(day, subject.version))), None)
            self._before[subject] = self._some(Subject("served", other), days) if other else None
        return self._before[subject]

    def _some(self, subject: Subject, days: list[date]) -> Sample | None:
        found = []
        for day in days:
            mine = self._log.day_of(subject, day)
            if mine.requests:
                found.append(mine)
            if len(found) == self._settings.reference_days:
                return Sample(tuple(sorted(found, key=lambda d: d.date)))
        return None

    def _leading(self, day: date, apart_from: str) -> str | None:
        """The version that answered most of a day's requests by an alias."""
        counts = Counter(
            r.version
            for r in self._log.day(day).requests
            if r.role == "served" and r.alias and r.version not in ("", apart_from)
        )
        return counts.most_common(1)[0][0] if counts else None
