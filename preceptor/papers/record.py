"""What the release record says of a version, without what people wrote: who, when, in which role, and what it means."""

from __future__ import annotations

from typing import Any

from preceptor.release.promotion import champions
from preceptor.release.registry import Tracking, VersionInfo, bundle_of, resolve
from preceptor.release.standing import Standing
from preceptor.release.store import Store

KINDS = (
    "registered", "gate_refused", "version_reviewed", "approved", "rejected", "promoted", "rolled_back", "barred",
)  # fmt: skip


def decisions(store: Store, stands: Standing) -> list[dict[str, Any]]:
    """The events about a version, oldest first; reasons are left in the record, since people write them."""
    holding = {event.id for event in (*stands.approvals, stands.rejected) if event}
    people = store.people()
    found = []
    for event in store.events(subject=stands.ref, kinds=KINDS):
        signed = event.signature is not None
        person = people.get(event.actor)
        found.append(
            {
                "event": event.id,
                "at": event.at,
                "what": event.kind.replace("_", " "),
                "by": (person.printed_name if person else "") or event.actor,
                "role": event.payload.get("role", ""),
                "signed": signed,
                "counts": event.id in holding if event.kind in ("approved", "rejected") else None,
            }
        )
    return found


def champion_before(tracking: Tracking, store: Store, info: VersionInfo) -> dict[str, Any] | None:
    """The champion that this version took the place of when it first became champion, or would now: its ref, digest and
    bundle; None where there was none."""
    begun = store.events(subject=info.ref, kinds=("promoting",))
    done = {e.payload.get("intent") for e in store.events(subject=info.ref, kinds=("promoted",))}
    first = next((e for e in begun if e.id in done), None)
    if first is not None:
        number = first.payload["before"].get("champion")
    else:
        line = [version for version in champions(store, info.name) if version != info.version]
        number = line[-1] if line else None
    if number is None:
        return None
    other = resolve(tracking, f"{info.name}/{number}")
    return {"ref": other.ref, "digest": other.digest, "bundle": bundle_of(tracking, other)}
