"""Whether a retraining starts now: the causes, and the policy that lets them or withholds them.

The rules, in the order in which they are asked; the first that says no withholds:

    one-at-a-time   a retraining, a pipeline run or `preceptor run` is at work
    after-failure   the last one failed less than `retry_hours` ago
    cool-down       the last one ended less than `cooldown_days` ago, or `fruitless_cooldown_days` if it brought nothing
                    better; erasure does not wait for that
    budget          runs, or minutes of runs, of this calendar month (UTC) are used up
    window          no window is open
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from preceptor.monitoring.causes import Facts, Reason, reasons
from preceptor.settings import MonitoringSettings, RetrainingSettings, RetrainingWindow
from preceptor.versions import digest

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether it starts, for which reasons, and which rule withholds it (empty: none; `no-cause`: nothing calls for it)."""

    start: bool
    causes: tuple[Reason, ...]
    withheld_by: str
    why: str

    @property
    def names(self) -> tuple[str, ...]:
        """The causes, without their words."""
        return tuple(reason.cause for reason in self.causes)

    def key(self, champion: str | None) -> str:
        """The same for the same occasions of the same causes, however often they are looked at."""
        return digest([champion, sorted([reason.cause, reason.occasion] for reason in self.causes)])[:16]


def decide(facts: Facts, policy: MonitoringSettings, now: datetime) -> Decision:
    """Decide by the facts alone; `now` is aware of its time zone."""
    found = reasons(facts, policy, now)
    if not found:
        return Decision(False, (), "no-cause", _nothing(facts, policy, now))
    urgent = any(reason.cause == "erasure" for reason in found)
    rule, why = _withheld(facts, policy.retraining, now, urgent)
    return Decision(not rule, found, rule, why or "nothing withholds it")


def required_gain(settings: RetrainingSettings, causes: Sequence[str]) -> float | None:
    """What a retraining's model must gain over the champion to become candidate, beside what the gates ask.

    None, so that the gates alone decide, where an erasure is among its causes: the champion must be replaced, and what
    the gates let pass is good enough for that.
    """
    return None if "erasure" in causes else settings.min_gain_over_champion


def is_open(windows: Sequence[RetrainingWindow], now: datetime) -> bool:
    """Whether a retraining may start at that time; always, if there are no windows."""
    return not windows or any(_within(window, now.astimezone(UTC)) for window in windows)


def next_opening(windows: Sequence[RetrainingWindow], now: datetime) -> datetime:
    """The next full hour at which a window is open, `now` if one is."""
    if is_open(windows, now):
        return now
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return next(
        at for n in range(1, 8 * 24 + 1) if is_open(windows, at := hour + timedelta(hours=n))
    )  # every window opens within a week


def _within(window: RetrainingWindow, now: datetime) -> bool:
    today, yesterday = DAYS[now.weekday()], DAYS[now.weekday() - 1]
    if window.from_hour < window.to_hour:
        return today in window.days and window.from_hour <= now.hour < window.to_hour
    return (today in window.days and now.hour >= window.from_hour) or (
        yesterday in window.days and now.hour < window.to_hour
    )


def _withheld(facts: Facts, policy: RetrainingSettings, now: datetime, urgent: bool) -> tuple[str, str]:
    history = facts.history
    if history.running:
        return "one-at-a-time", history.running
    if history.failed_at is not None and _has_been(history.failed_at, now):
        until = history.failed_at + timedelta(hours=policy.retry_hours)
        if now < until:
            return "after-failure", f"the last retraining failed; the next may start from {_said(until)} on"
    if history.last_end is not None and _has_been(history.last_end, now) and not urgent:
        days = policy.cooldown_days
        if history.fruitless:
            days = max(days, policy.fruitless_cooldown_days)
        until = history.last_end + timedelta(days=days)
        if now < until:
            brought = "brought nothing better" if history.fruitless else "ended"
            return (
                "cool-down",
                f"the last retraining {brought} {_said(history.last_end)}; {_said(until)} at the earliest",
            )
    if policy.runs_per_month is not None and history.runs_this_month >= policy.runs_per_month:
        return "budget", f"{history.runs_this_month} of {policy.runs_per_month} runs of this month are used"
    if policy.minutes_per_month is not None and history.minutes_this_month >= policy.minutes_per_month:
        used = f"{history.minutes_this_month:.0f} of {policy.minutes_per_month:g} minutes"
        return "budget", f"{used} of this month are used"
    if not is_open(policy.windows, now):
        return "window", f"no window is open; the next opens at {_said(next_opening(policy.windows, now))}"
    return "", ""


def _nothing(facts: Facts, policy: MonitoringSettings, now: datetime) -> str:
    """Why nothing calls for it, with the figures that are nearest to doing so."""
    if facts.champion is None or facts.promoted_at is None:
        return "there is no champion yet; `preceptor run` makes a first candidate"
    age = (now - max(facts.promoted_at, facts.tried_at or facts.promoted_at)).days
    documents = facts.seen.documents - facts.tried.documents
    reviewed = facts.seen.reviewed - facts.tried.reviewed
    return (
        f"no cause: {facts.champion} is {age} of {policy.champion_max_age_days} days old, {documents} of "
        f"{policy.new_documents} new documents and {reviewed} of {policy.retraining.new_reviewed} reviewed examples, "
        "no further drift, alarm, erasure or base model"
    )


def _has_been(at: datetime, now: datetime) -> bool:
    """Whether a recorded time can be true. One that lies days ahead is of a clock that was wrong: to wait for it might be to
    wait for years."""
    return at <= now + timedelta(days=1)


def _said(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
