"""Delivery: every channel has its place in the record, which moves on only when a message was taken.

So nothing is lost to a receiver that is away or to a kill, and at worst the last message comes twice; it carries the
event's number. The record itself is the outbox: whoever promotes writes nothing here, and is never held up by a mail server.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from preceptor.errors import PreceptorError
from preceptor.locks import exclusive
from preceptor.notifications.channels import channels
from preceptor.notifications.message import SAID, message_of
from preceptor.release.store import Store
from preceptor.settings import NotificationSettings
from preceptor.versions import write_atomic

PLACES = "notified.json"
FIRST = timedelta(days=1)  # a channel that is new is told what happened since


@dataclass(frozen=True, slots=True)
class Delivery:
    """How many messages went out, and what stood in the way of others: channel -> problem."""

    sent: int
    problems: dict[str, str]


def deliver(store: Store, settings: NotificationSettings) -> Delivery:
    """Send what each channel was not yet told, in the order of the record; a channel that fails is tried again at the next
    call, from where it stopped.

    Raises `RecordBroken` for a tampered record, `PreceptorError` if another delivery is at work.
    """
    busy = PreceptorError("Another process delivers notifications at the moment; it will tell all there is.")
    sent, problems = 0, {}
    with exclusive(store.folder / "notify.lock", busy, patience=5):
        store.require_intact()
        events = store.events(kinds=tuple(kind for kind in settings.events if kind in SAID))
        places = _places(store.folder)
        recent = (datetime.now(UTC) - FIRST).isoformat()
        for channel in channels(settings):
            begin = places.get(channel.name)
            waiting = [e for e in events if (e.at >= recent if begin is None else e.id > begin)]
            for event in waiting:
                try:
                    channel.send(message_of(event))
                except PreceptorError as error:
                    problems[channel.name] = str(error)
                    break
                places[channel.name] = event.id
                write_atomic(store.folder / PLACES, json.dumps(places))
                sent += 1
    return Delivery(sent, problems)


def _places(folder: Path) -> dict[str, int]:
    path = folder / PLACES
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}
