"""One look at whether to retrain: what is known, what the policy says to it, and the record of that."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from preceptor.monitoring.causes import Facts
from preceptor.monitoring.facts import Sources, champion_of, gather
from preceptor.monitoring.retraining import Decision, decide
from preceptor.monitoring.retraining_record import Entry, Record


@dataclass(frozen=True, slots=True)
class Look:
    """What was decided and from which facts; `last_start` is the last started decision that they took into account."""

    facts: Facts
    decision: Decision
    last_start: int | None


def look(sources: Sources, record: Record, now: datetime, running: str = "") -> Look:
    """Decide, and write nothing down. `running` says what is at work beside what the record knows."""
    starts = [entry.id for entry in record.entries() if entry.started]
    champion = champion_of(sources)
    tried = record.tried(champion.ref if champion else None)
    facts = gather(
        sources, champion, tried, record.alarms_answered(), record.due(), record.history(now, running)
    )
    decision = decide(facts, sources.settings.monitoring, now)
    return Look(facts, decision, starts[-1] if starts else None)


def consider(sources: Sources, record: Record, now: datetime, running: str = "") -> tuple[Look, Entry | None]:
    """Decide, and write it down where anything calls for a retraining.

    The entry is None if nothing does, or if another process decided in the meantime: then nothing may be started.
    """
    found = look(sources, record, now, running)
    if not found.decision.causes:
        return found, None
    facts = found.facts
    return found, record.decided(found.decision, facts.champion, facts.seen, now, found.last_start)
