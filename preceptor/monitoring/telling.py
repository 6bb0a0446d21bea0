"""Alarms into the release record, from where notifications go out; and so that the trail of alarms is tamper-evident, too."""

from __future__ import annotations

from pathlib import Path

from preceptor.monitoring.alarms import ALARMS, CLEARED, RAISED, Alarm, AlarmStore
from preceptor.monitoring.measures import MEASURES
from preceptor.release.store import Store

KINDS = {RAISED: "alarm_raised", CLEARED: "alarm_cleared"}


def record_alarms(folder: Path, record: Store, actor: str) -> int:
    """Write to the record what was raised and cleared since the last one there; return how many. The record itself says how far
    this went, so that a kill in between repeats nothing."""
    if not (folder / ALARMS).exists():
        return 0
    known = [e.payload["entry"] for e in record.events(kinds=tuple(KINDS.values()))]
    store = AlarmStore(folder)
    try:
        entries = [e for e in store.history(max(known, default=0)) if e.kind in KINDS]
    finally:
        store.close()
    fields = Alarm.__dataclass_fields__
    for entry in entries:
        alarm = Alarm(**{k: v for k, v in entry.facts.items() if k in fields})
        payload = {
            "entry": entry.id,
            "said": alarm.text,
            "title": MEASURES[entry.measure].title,
            **entry.facts,
        }
        record.append(KINDS[entry.kind], entry.subject.rpartition(" ")[2], actor, payload)
    return len(entries)
