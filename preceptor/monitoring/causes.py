"""What calls for a retraining: each cause is a pure function from facts to a reason, or None.

Reasons are green: numbers, names of versions and measures, never a reference to a patient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from preceptor.monitoring.stage import MIN_DOCUMENTS
from preceptor.settings import MonitoringSettings


@dataclass(frozen=True, slots=True)
class Seen:
    """What there was to learn from, or to answer to, when a decision was made. Kept with it, so that the next retraining
    is for what came since and never for the same again."""

    documents: int = 0  # in batches that the champion did not learn from
    reviewed: int = 0  # cases accepted or corrected since the champion was registered
    drifted: bool = False
    alarms: tuple[str, ...] = ()  # ids of those that are open
    erasure: str = ""  # what was erased or withdrawn of the champion's data; empty: nothing
    base: str = ""  # the base model that is set, where it is another than the champion's
    due: str = ""  # when the calendar last asked, ISO 8601 in UTC


@dataclass(frozen=True, slots=True)
class History:
    """What became of earlier retrainings. `running` says what is at work; `last_end` is of the last that did not fail."""

    running: str = ""
    last_end: datetime | None = None
    fruitless: bool = False  # that one brought nothing better
    failed_at: datetime | None = None  # only if the very last one failed
    runs_this_month: int = 0
    minutes_this_month: float = 0.0


@dataclass(frozen=True, slots=True)
class Facts:
    """What decides. `tried` is what the last retraining about this champion had seen that did not fail, `tried_at` when it
    was started. `drift` says the worst feature, `alarms` and `erased` what they are; all for people."""

    champion: str | None
    promoted_at: datetime | None = None
    seen: Seen = Seen()
    tried: Seen = Seen()
    tried_at: datetime | None = None
    drift: str = ""
    alarms: tuple[str, ...] = ()
    erased: str = ""
    champion_base: str = ""
    history: History = field(default_factory=History)


@dataclass(frozen=True, slots=True)
class Reason:
    """A cause with its words; `occasion` tells one occasion of the cause from the next."""

    cause: str
    text: str
    occasion: str


Cause = Callable[[Facts, MonitoringSettings, datetime], Reason | None]


def calendar(facts: Facts, settings: MonitoringSettings, now: datetime) -> Reason | None:
    """The schedule was due, or the champion is old; a retraining since then answers both."""
    if facts.promoted_at is None:
        return None
    since = max(facts.promoted_at, facts.tried_at or facts.promoted_at)
    is_new = facts.seen.due not in ("", facts.tried.due)
    if is_new and datetime.fromisoformat(facts.seen.due) > since:
        return Reason("calendar", f"the schedule asked for it at {facts.seen.due}", facts.seen.due)
    age = (now - since).days
    if age <= settings.champion_max_age_days:
        return None
    what = "was promoted" if since == facts.promoted_at else "was last retrained"
    return Reason(
        "calendar",
        f"{facts.champion} {what} {age} days ago (limit {settings.champion_max_age_days})",
        since.isoformat(),
    )


def new_data(facts: Facts, settings: MonitoringSettings, now: datetime) -> Reason | None:
    """Enough documents, and enough of what clinicians accepted or corrected, that no training has seen."""
    documents = facts.seen.documents - facts.tried.documents
    reviewed = facts.seen.reviewed - facts.tried.reviewed
    if documents < settings.new_documents or reviewed < settings.retraining.new_reviewed:
        return None
    since = f"the last retraining for {facts.champion}" if facts.tried_at else f"{facts.champion} was trained"
    return Reason(
        "new-data",
        f"{documents} documents and {reviewed} reviewed examples since {since} "
        f"(from {settings.new_documents} and {settings.retraining.new_reviewed} on)",
        f"{facts.tried.documents}/{facts.tried.reviewed}",
    )


def drift(facts: Facts, settings: MonitoringSettings, now: datetime) -> Reason | None:
    """The last drift report says so; after a retraining for it, only with further documents."""
    further = facts.seen.documents - facts.tried.documents
    if not facts.seen.drifted or (facts.tried.drifted and further < MIN_DOCUMENTS):
        return None
    return Reason("drift", facts.drift, f"{facts.tried.drifted}/{facts.tried.documents}")


def quality(facts: Facts, settings: MonitoringSettings, now: datetime) -> Reason | None:
    """An alarm is open that no retraining has answered to."""
    new = [
        (one, said)
        for one, said in zip(facts.seen.alarms, facts.alarms, strict=True)
        if one not in facts.tried.alarms
    ]
    if not new:
        return None
    return Reason("quality", "; ".join(said for _, said in new), ",".join(one for one, _ in new))


def erasure(facts: Facts, settings: MonitoringSettings, now: datetime) -> Reason | None:
    """The champion learnt from somebody who has been erased, or has withdrawn since."""
    if not facts.seen.erasure or facts.seen.erasure == facts.tried.erasure:
        return None
    return Reason("erasure", facts.erased, facts.seen.erasure)


def base_model(facts: Facts, settings: MonitoringSettings, now: datetime) -> Reason | None:
    """The settings name another base model, or another copy of it, than the champion was made from."""
    if not facts.seen.base or facts.seen.base == facts.tried.base:
        return None
    said = f"the settings name {facts.seen.base}, {facts.champion} was made from {facts.champion_base}"
    return Reason("base-model", said, facts.seen.base)


CAUSES: dict[str, Cause] = {
    "calendar": calendar,
    "new-data": new_data,
    "drift": drift,
    "quality": quality,
    "erasure": erasure,
    "base-model": base_model,
}


def reasons(facts: Facts, settings: MonitoringSettings, now: datetime) -> tuple[Reason, ...]:
    """The reasons of all causes that are enabled; none without a champion, since nothing is there to be made anew."""
    if facts.champion is None:
        return ()
    found = (CAUSES[name](facts, settings, now) for name in CAUSES if name in settings.retraining.causes)
    return tuple(reason for reason in found if reason is not None)
