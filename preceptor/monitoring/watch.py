"""One run of the monitor over traffic: judge the days that ended, tell of alarms, roll back if the policy says so, report."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

from preceptor.errors import PreceptorError
from preceptor.locks import exclusive
from preceptor.monitoring.alarms import AlarmStore
from preceptor.monitoring.judging import judge
from preceptor.monitoring.page import render
from preceptor.monitoring.references import References
from preceptor.monitoring.rollback import roll_back_if_wanted
from preceptor.monitoring.rules import TrafficSettings
from preceptor.monitoring.telling import record_alarms
from preceptor.monitoring.traffic_report import PAGE, REPORT, traffic_facts
from preceptor.monitoring.training_sample import training_sample
from preceptor.monitoring.windows import SERVICE, Log, Subject, subjects
from preceptor.release.registry import Tracking
from preceptor.release.stage import present_champion
from preceptor.release.store import Store
from preceptor.settings import Settings, Workspace
from preceptor.versions import write_atomic

_DAY = timedelta(days=1)


def watch_traffic(
    workspace: Workspace,
    settings: Settings,
    tracking: Tracking,
    record: Store,
    *,
    since: date | None = None,
    today: date | None = None,
    actor: str = "monitor",
) -> dict[str, Any]:
    """Judge every whole day (UTC) before `today` that was not judged yet; write and return the report, with `rollback`: what
    `roll_back_if_wanted` did.

    `since` begins the report's window, without it `window_days` before today; a day is judged once, whatever the report is about.
    Killed anywhere, the next run completes what is missing. Raises `PreceptorError` if another run is at work.
    """
    busy = PreceptorError(
        "Another run of the monitor is at work in this home; it will do what this one would."
    )
    with exclusive(workspace.monitoring / "watch.lock", busy, patience=60):
        return _watch(workspace, settings, tracking, record, since, today, actor)


def _watch(
    workspace: Workspace,
    settings: Settings,
    tracking: Tracking,
    record: Store,
    since: date | None,
    today: date | None,
    actor: str,
) -> dict[str, Any]:
    champion = present_champion(tracking, settings)
    curated = champion.data.get("curated") if champion else None
    chosen = settings.monitoring.traffic
    last = (today or datetime.now(UTC).date()) - _DAY
    view = View(workspace, chosen, champion.ref if champion else None, curated, last)
    view.judge()
    record_alarms(workspace.monitoring, record, actor)
    done = roll_back_if_wanted(workspace, settings, tracking, record)
    facts = view.facts(min(since or last - (chosen.window_days - 1) * _DAY, last)) | {"rollback": done}
    write_atomic(workspace.monitoring / REPORT, json.dumps(facts, indent=1) + "\n")
    write_atomic(workspace.monitoring / PAGE, render(facts))
    return facts


class View:
    """The log up to a day, seen from a champion: who is watched, and what each is compared with."""

    def __init__(
        self,
        workspace: Workspace,
        settings: TrafficSettings,
        champion: str | None,
        curated: str | None,
        last: date,
    ) -> None:
        self._folder, self._settings, self._last = workspace.monitoring, settings, last
        self._log = Log(workspace.serving / "traffic")
        wanted = curated if settings.reference == "training" else None
        training = training_sample(workspace.data, wanted) if wanted else None
        self._references = References(self._log, settings, champion, training)
        recent = [self._log.day(last - n * _DAY) for n in range(settings.window_days)]
        self.watched = [
            SERVICE,
            *([Subject("served", champion)] if champion else []),
            *(s for s in subjects(recent) if s.role == "canary"),
        ]

    def judge(self) -> None:
        store = AlarmStore(self._folder)
        try:
            with store.transaction():
                judge(store, self._log, self._references, self.watched, self._settings, self._last)
        finally:
            store.close()

    def facts(self, first: date) -> dict[str, Any]:
        store = AlarmStore(self._folder)
        try:
            return traffic_facts(
                store, self._log, self._references, self.watched, self._settings, first, self._last
            )
        finally:
            store.close()
