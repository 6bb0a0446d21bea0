"""Back to the previous champion because of an alarm, where the settings' policy says so; at most once for a champion.

It does not go on and on: a champion that came back by such a rollback is not rolled back by another, for then it was not the
model. Who promoted has to look.
"""

from __future__ import annotations

from typing import Any

from preceptor.errors import GateRefused
from preceptor.monitoring.alarms import NOT_ROLLED_BACK, ROLLED_BACK, Alarm, AlarmStore
from preceptor.monitoring.windows import Subject
from preceptor.release.registry import Tracking
from preceptor.release.stage import present_champion
from preceptor.release.store import Store
from preceptor.serving.rollout import roll_back
from preceptor.settings import Settings, Workspace

ACTOR = "monitor"


def roll_back_if_wanted(
    workspace: Workspace, settings: Settings, tracking: Tracking, record: Store
) -> dict[str, Any] | None:
    """Roll back if an alarm of the present champion calls for it; return what was done (`champion`, or `why` not, and the
    alarm), None if none calls. The deed is in the release record with its reason, and in the alarms' history."""
    policy = settings.monitoring.rollback
    if not policy.on:
        return None
    champion = present_champion(tracking, settings)
    if champion is None:
        return None
    store = AlarmStore(workspace.monitoring)
    try:
        subject = Subject("served", champion.ref).name
        calling = [a for a in store.open() if a.subject == subject and a.measure in policy.on]
        tried = any(
            e.kind in (ROLLED_BACK, NOT_ROLLED_BACK) and e.subject == subject for e in store.history()
        )
        if not calling or tried:
            return None
        return _roll_back(workspace, settings, tracking, record, store, champion.ref, calling[0])
    finally:
        store.close()


def _roll_back(
    workspace: Workspace,
    settings: Settings,
    tracking: Tracking,
    record: Store,
    store: AlarmStore,
    champion: str,
    alarm: Alarm,
) -> dict[str, Any]:
    deeds = record.events(subject=champion, kinds=("promoted", "rolled_back"))
    if deeds and deeds[-1].kind == "rolled_back" and deeds[-1].actor == ACTOR:
        return _not_done(store, alarm, f"{champion} itself came back by a rollback of the monitor")
    try:
        done = roll_back(
            workspace, settings, tracking, record, actor=ACTOR, reason=f"alarm: {alarm.text}"
        ).done
    except GateRefused as refused:
        return _not_done(store, alarm, str(refused))
    with store.transaction():
        store.note(ROLLED_BACK, alarm, champion=done.champion)
    return {"champion": done.champion, "from": champion, "alarm": alarm.text}


def _not_done(store: AlarmStore, alarm: Alarm, why: str) -> dict[str, Any]:
    with store.transaction():
        store.note(NOT_ROLLED_BACK, alarm, why=why)
    return {"champion": None, "why": why, "alarm": alarm.text}
