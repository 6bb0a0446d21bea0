"""What is told of an event of the record."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from preceptor.release.chain import Event

# kind of event -> what is said of it; a kind that is not here is never told
SAID = {
    "registered": "{subject} was evaluated and registered{gate}.",
    "approved": "{actor} approved {subject}.",
    "rejected": "{actor} rejected {subject}; it cannot be promoted.",
    "gate_refused": "{subject} was refused by the gate {which}.",
    "promoted": "{subject} is the champion now.",
    "rolled_back": "{subject} is the champion again, after a rollback.",
    "barred": "{subject} is barred from promotion.",
    "serving_verified": "{subject} is served: every server reports it.",
    "serving_unverified": "{subject} is the champion, but not every server reports it.",
    "alarm_raised": "Alarm: {said}.",
    "alarm_cleared": "No longer an alarm: {said}.",
}


@dataclass(frozen=True, slots=True)
class Message:
    """One event for people: `event` is its number in the record, by which a receiver can tell a repetition."""

    event: int
    at: str
    kind: str
    subject: str
    actor: str
    text: str

    def facts(self) -> dict[str, Any]:
        """The same as a JSON-able mapping."""
        return asdict(self)


def message_of(event: Event) -> Message:
    """Say an event of a kind in `SAID`. Reasons stay in the record: people write them, and they may name a patient."""
    gate = event.payload.get("gate")
    passed = gate.get("passed") if isinstance(gate, dict) else None
    text = SAID[event.kind].format(
        subject=event.subject,
        actor=event.actor,
        gate={True: ": the gate passed it, it waits for approval", False: ": the gate refused it"}.get(
            passed, ""
        )
        if isinstance(passed, bool)
        else "",
        which=gate if isinstance(gate, str) else "",
        said=event.payload.get("said", ""),
    )
    return Message(event.id, event.at, event.kind, event.subject, event.actor, text)
