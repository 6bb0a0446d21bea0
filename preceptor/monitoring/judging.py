"""From the log to alarms: every whole day since the last run is judged once, in order, for each measure by itself.

A window is as many days as the measure needs for its minimum; windows do not overlap, so that several bad ones in a row are that
much less likely by chance. How often the monitor runs, and when, changes nothing of what it finds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from preceptor.monitoring.alarms import CLEARED, RAISED, Alarm, AlarmStore, Watched, step, verdict
from preceptor.monitoring.measures import MEASURES, Measure
from preceptor.monitoring.readings import NO_REFERENCE, TOO_FEW, Reading
from preceptor.monitoring.references import References
from preceptor.monitoring.rules import Rule, TrafficSettings
from preceptor.monitoring.windows import SERVICE, Day, Log, Sample, Subject, calendar

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """A judged window of a measure."""

    first: date
    last: date
    reading: Reading


def judge(
    store: AlarmStore,
    log: Log,
    references: References,
    subjects: list[Subject],
    settings: TrafficSettings,
    last: date,
) -> None:
    """Judge all days up to `last` that were not judged yet, for these subjects; what is raised of others is cleared. The caller
    holds the store's transaction."""
    done = set()
    for subject in subjects:
        for name, measure, rule in rules_of(subject, settings):
            done.add((subject.name, name))
            _judge(store, log, references, subject, name, measure, rule, settings, last)
    back = store.rolled_back()
    for alarm in store.open():
        # What a version was rolled back for stays open until another than the one that came back is the champion.
        unsettled = back.get(alarm.subject) in {subject.version for subject in subjects}
        if (alarm.subject, alarm.measure) not in done and not unsettled:
            store.keep(alarm.subject, alarm.measure, Watched(last + _DAY))
            store.note(CLEARED, alarm, why="it is not watched any more")


def rules_of(subject: Subject, settings: TrafficSettings) -> Iterator[tuple[str, Measure, Rule]]:
    """The measures that are alarms for a subject. A canary is held against the champion of the same days; the cases that it is
    given and how it writes need not be alike."""
    for name, measure in MEASURES.items():
        rule: Rule | None = getattr(settings.alarms, name)
        if rule is None or (measure.scope == "service") != (subject == SERVICE):
            continue
        if subject.role == "canary" and (measure.unit == "index" or name.startswith("gap_")):
            continue
        yield name, measure, rule


def _judge(
    store: AlarmStore,
    log: Log,
    references: References,
    subject: Subject,
    name: str,
    measure: Measure,
    rule: Rule,
    settings: TrafficSettings,
    last: date,
) -> None:
    state = store.watched(subject.name, name) or _begin(log, references, subject)
    if state is None:
        return
    # A clock that was far ahead had days judged that had not come; without this nobody would watch until they have.
    if state.since > last + timedelta(days=settings.most_days):
        state = replace(state, since=last + _DAY)
    for window in windows(log, references, subject, measure, rule, settings, state.since, last):
        if window.reading.missing:
            state = Watched(window.first, state.bad, state.good, state.raised)
            continue
        said = verdict(window.reading, rule)
        alarm = _alarm(subject, name, rule, window)
        before = state.raised
        state, event = step(state, said, alarm, rule, window.last + _DAY)
        if event == RAISED:
            store.note(RAISED, alarm)
        elif event == CLEARED and before:
            by = {k: getattr(alarm, k) for k in ("value", "score", "n", "first", "last")}
            store.note(CLEARED, before, cleared_by=by)
    store.keep(subject.name, name, state)


def windows(
    log: Log,
    references: References,
    subject: Subject,
    measure: Measure,
    rule: Rule,
    settings: TrafficSettings,
    since: date,
    last: date,
) -> Iterator[Window]:
    """The windows from `since` to `last`, in order. One that says nothing has a reading with `missing`, and its `first` is
    where the next begins."""
    start = since
    pooled: list[Day] = []
    for day in calendar(since, last):
        pooled.append(log.day_of(subject, day))
        if len(pooled) < rule.days:
            continue
        sample = Sample(tuple(pooled))
        reading = measure.read(sample, references.of(subject, measure, sample), rule)
        if reading.missing == TOO_FEW and len(pooled) < settings.most_days:
            continue
        if reading.missing == TOO_FEW:
            pooled, start = pooled[1:], start + _DAY
            yield Window(start, day, reading)
            continue
        if reading.missing == NO_REFERENCE:
            start = day + _DAY
            yield Window(start, day, reading)
        else:
            yield Window(start, day, reading)
            start = day + _DAY
        pooled = []


def _begin(log: Log, references: References, subject: Subject) -> Watched | None:
    first = log.first if subject == SERVICE else references.first_day(subject)
    return Watched(first) if first else None


def _alarm(subject: Subject, name: str, rule: Rule, window: Window) -> Alarm:
    found = window.reading
    assert found.score is not None and found.chance is not None
    return Alarm(
        subject.name,
        name,
        rule.severity,
        _rounded(found.value),
        _rounded(found.reference),
        round(found.score, 6),
        rule.limit,
        rule.clear,
        found.n,
        float(f"{found.chance:.3g}"),
        window.first.isoformat(),
        window.last.isoformat(),
        found.detail,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
