"""What production looked like over a window: `HOME/monitoring/traffic.json` (green) and a page of it.

Numbers of each version by role, so that the champion, a canary and a shadow are never mixed; groups with fewer answers than
`small_group` are named and nothing more is said of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np

from preceptor.monitoring.alarms import AlarmStore, verdict
from preceptor.monitoring.judging import rules_of, windows
from preceptor.monitoring.measures import MEASURES
from preceptor.monitoring.readings import WRITTEN, Reading, kept_of, ratings_of
from preceptor.monitoring.references import References
from preceptor.monitoring.rules import AlarmRules, Rule, TrafficSettings
from preceptor.monitoring.windows import SERVICE, Day, Log, Sample, Subject, subjects
from preceptor.serving.traffic import Served

REPORT, PAGE = "traffic.json", "traffic.html"
GROUPS = ("sex", "age_band", "language", "specialty")
_SHOWN = 30  # entries of the history


def traffic_facts(
    store: AlarmStore,
    log: Log,
    references: References,
    watched: Sequence[Subject],
    settings: TrafficSettings,
    first: date,
    last: date,
) -> dict[str, Any]:
    """The report over the days from `first` to `last`; no text, no identifier, no key."""
    present = subjects(log.day(day) for day in _days(first, last))
    others = [s for s in present if s not in watched]
    facts = {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "window": {"first": first.isoformat(), "last": last.isoformat()},
        "champion": next((s.version for s in watched if s.role == "served"), None),
        "log_begins": log.first.isoformat() if log.first else None,
        "reference": settings.reference,
        "reference_days": settings.reference_days,
        "subjects": {
            subject.name: _subject(store, log, references, subject, settings, first, last)
            for subject in (*watched, *others)
        },
        "pairs": _pairs(log, others, first, last),
        "alarms": [asdict(alarm) | {"text": alarm.text} for alarm in store.open()],
        "history": [asdict(entry) for entry in store.history()[-_SHOWN:]],
    }
    return facts


def _subject(
    store: AlarmStore,
    log: Log,
    references: References,
    subject: Subject,
    settings: TrafficSettings,
    first: date,
    last: date,
) -> dict[str, Any]:
    sample = log.sample(subject, first, last)
    plotted = max(last - timedelta(days=settings.history_days - 1), log.first or last)
    rules = {name: rule for name, _, rule in rules_of(subject, settings)}
    measures = {}
    for name, measure in MEASURES.items():
        if (measure.scope == "service") != (subject == SERVICE) or (
            subject.role != "served" and measure.unit == "index"
        ):
            continue
        rule: Rule = rules.get(name) or AlarmRules.model_fields[name].default
        reading = measure.read(sample, references.of(subject, measure, sample), rule)
        state = store.watched(subject.name, name)
        measures[name] = _reading(reading) | {
            "title": measure.title,
            "unit": measure.unit,
            "limit": rule.limit,
            "clear": rule.clear,
            "minimum": rule.minimum,
            "relative": rule.relative,
            "alarm": name in rules,
            "severity": rule.severity,
            "bad_in_a_row": state.bad if state else 0,
            "raised": bool(state and state.raised),
            "windows": [
                {
                    "first": w.first.isoformat(),
                    "last": w.last.isoformat(),
                    **_reading(w.reading),
                    "bad": verdict(w.reading, rule) == "bad",
                }
                for w in windows(log, references, subject, measure, rule, settings, plotted, last)
                if not w.reading.missing
            ]
            if subject == SERVICE or subject.role == "served"
            else [],
        }
    return {
        "role": subject.role,
        "version": subject.version,
        **summary(sample.days),
        "measures": measures,
        "groups": {} if subject == SERVICE else _groups(sample, settings.small_group),
        "by_day": [
            {"day": day.date.isoformat(), "outcomes": _outcomes(day.requests)}
            for day in log.sample(subject, plotted, last).days
        ],
    }


def summary(days: Iterable[Day]) -> dict[str, Any]:
    """Counts, times in seconds, lengths, and what became of the answers."""
    days = list(days)
    rows = [r for day in days for r in day.requests]
    written = [r for r in rows if r.outcome in WRITTEN]
    kept = [kept for day in days for _, kept in kept_of(day)]
    ratings = [rating for day in days for _, rating in ratings_of(day)]
    return {
        "requests": len(rows),
        "outcomes": _outcomes(rows),
        "seconds": _quantiles([r.seconds for r in written]),
        "first_token_seconds": _quantiles([r.first_token_seconds for r in written if r.first_token_seconds]),
        "queue_seconds": _quantiles([r.queue_seconds for r in written]),
        "prompt_tokens": sum(r.prompt_tokens for r in rows),
        "new_tokens": sum(r.new_tokens for r in rows),
        "answer_characters": _quantiles([float(r.answer_characters) for r in written]),
        "abstained": _looked_at(written, lambda r: r.abstained),
        "leaks": _looked_at(written, lambda r: r.leak_hits)
        | {"identifiers": sum(r.leak_hits or 0 for r in written)},
        "kept": _mean(kept),
        "rating": _mean([float(r) for r in ratings])
        | {"of": {str(n): ratings.count(n) for n in range(1, 6)}},
    }


def _outcomes(rows: Iterable[Served]) -> dict[str, int]:
    return dict(sorted(Counter(r.outcome for r in rows).items()))


def _quantiles(values: Sequence[float]) -> dict[str, Any]:
    if not values:
        return {"n": 0, "p50": None, "p95": None}
    p50, p95 = np.quantile(values, (0.5, 0.95))
    return {"n": len(values), "p50": round(float(p50), 3), "p95": round(float(p95), 3)}


def _looked_at(rows: Iterable[Served], of: Callable[[Served], Any]) -> dict[str, Any]:
    found = [bool(value) for r in rows if (value := of(r)) is not None]
    return {"n": len(found), "share": round(sum(found) / len(found), 4) if found else None}


def _mean(values: Sequence[float]) -> dict[str, Any]:
    """With a 95 % interval of the mean, by the normal distribution."""
    if not values:
        return {"n": 0, "mean": None, "low": None, "high": None}
    mean = float(np.mean(values))
    half = 1.96 * float(np.std(values, ddof=1)) / len(values) ** 0.5 if len(values) > 1 else None
    low, high = (None, None) if half is None else (round(mean - half, 4), round(mean + half, 4))
    return {"n": len(values), "mean": round(mean, 4), "low": low, "high": high}


def _groups(sample: Sample, fewest: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in GROUPS:
        names = sorted({getattr(r, field) for r in sample.answers} - {""})
        rows = {}
        for name in names:
            days = [_of_group(day, field, name) for day in sample.days]
            count = sum(len(day.requests) for day in days)
            rows[name] = summary(days) if count >= fewest else {"requests": None, "fewer_than": fewest}
        found[field] = rows
    return found


def _of_group(day: Day, field: str, name: str) -> Day:
    return Day(
        day.date,
        tuple(r for r in day.requests if getattr(r, field) == name),
        tuple((f, r) for f, r in day.feedback if r is not None and getattr(r, field) == name),
    )


def _pairs(log: Log, others: Sequence[Subject], first: date, last: date) -> dict[str, Any]:
    """A shadow's answers beside those that were shown for the same requests."""
    shown = {
        r.request_id: r for day in _days(first, last) for r in log.day(day).requests if r.role != "shadow"
    }
    found = {}
    for subject in others:
        if subject.role != "shadow":
            continue
        rows = log.sample(subject, first, last).answers
        pairs = [(r, shown[r.pair_of]) for r in rows if r.pair_of in shown and r.outcome in WRITTEN]
        found[subject.name] = {
            "pairs": len(pairs),
            "against": sorted({other.version for _, other in pairs}),
            "shadow": summary([Day(last, tuple(r for r, _ in pairs))]),
            "shown": summary([Day(last, tuple(other for _, other in pairs))]),
            "longer": sum(r.answer_characters > o.answer_characters for r, o in pairs),
            "shorter": sum(r.answer_characters < o.answer_characters for r, o in pairs),
        }
    return found


def _reading(reading: Reading) -> dict[str, Any]:
    rounded = {k: round(v, 6) if isinstance(v, float) else v for k, v in asdict(reading).items()}
    if reading.chance is not None:
        rounded["chance"] = float(f"{reading.chance:.3g}")
    return rounded


def _days(first: date, last: date) -> Iterable[date]:
    return (first + timedelta(days=n) for n in range((last - first).days + 1))
