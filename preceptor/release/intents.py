"""Intent and deed: what is written before the aliases of a model move and after, so that a kill in between is made good.

Whoever comes next finds an intent (`promoting`, `rolling_back`) without its deed (`promoted`, `rolled_back`) and completes
it, or takes it back if the version has become unfit meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass

from preceptor.release.artifacts import DamagedVersion
from preceptor.release.chain import Event
from preceptor.release.registry import (
    CANDIDATE,
    CHAMPION,
    PREVIOUS,
    Tracking,
    check_files,
    get_alias,
    parse_ref,
    resolve,
    set_alias,
)
from preceptor.release.standing import Validity, refusals, standing, unfit
from preceptor.release.store import Store

_DEEDS = {"promoting": "promoted", "rolling_back": "rolled_back"}


@dataclass(frozen=True, slots=True)
class Promotion:
    """Who is champion and who was before; `event` is the id of the deed, None if nothing had to be done."""

    champion: str
    previous: str | None
    event: int | None


def settle(
    tracking: Tracking, store: Store, name: str, *, required: int, validity: Validity, actor: str
) -> Promotion | None:
    """Complete what was begun and killed, and return it; or take it back if the version may not be champion any more.

    The caller holds the lock: so whoever began it is dead.
    """
    intent = unfinished(store, name)
    if intent is None:
        return None
    info = resolve(tracking, intent.subject)
    stands = standing(store, info.ref)
    reasons = (
        refusals(stands, info, required, validity) if intent.kind == "promoting" else unfit(stands, info)
    )
    if not reasons:
        try:
            check_files(tracking, info)
        except DamagedVersion:
            reasons = ["its files are not those that were registered (rule digest)"]
    if not reasons:
        return carry_out(tracking, store, intent, actor)
    before = intent.payload["before"]
    for alias in (PREVIOUS, CHAMPION):
        set_alias(tracking, name, alias, before[alias])
    store.append(
        "gate_refused", info.ref, actor, {"gate": "promotion", "intent": intent.id, "reasons": reasons}
    )
    return None


def unfinished(store: Store, name: str) -> Event | None:
    """The intent that was never completed or taken back, if there is one."""
    open_intent: Event | None = None
    for event in _of_model(store, name, (*_DEEDS, *_DEEDS.values(), "gate_refused")):
        if event.kind in _DEEDS:
            open_intent = event
        elif open_intent is not None and event.payload.get("intent") == open_intent.id:
            open_intent = None
    return open_intent


def champions(store: Store, name: str) -> list[int]:
    """The line of champions as promotions and rollbacks left it, the present one last."""
    line: list[int] = []
    for event in _of_model(store, name, ("promoted", "rolled_back")):
        version = parse_ref(event.subject)[1]
        assert version is not None
        if event.kind == "promoted" or event.payload.get("named"):
            line.append(version)
        elif line:
            line.pop()
    return line


def carry_out(tracking: Tracking, store: Store, intent: Event, actor: str) -> Promotion:
    """Move the aliases as an intent says, and write the deed."""
    name, version, _ = parse_ref(intent.subject)
    after = intent.payload["after"]
    for alias in (PREVIOUS, CHAMPION):
        set_alias(tracking, name, alias, after[alias])
    if get_alias(tracking, name, CANDIDATE) == version:
        set_alias(tracking, name, CANDIDATE, None)
    deed = store.append(_DEEDS[intent.kind], intent.subject, actor, {"intent": intent.id, **intent.payload})
    previous = after[PREVIOUS]
    return Promotion(intent.subject, f"{name}/{previous}" if previous is not None else None, deed.id)


def _of_model(store: Store, name: str, kinds: tuple[str, ...]) -> list[Event]:
    return [event for event in store.events(kinds=kinds) if event.subject.rpartition("/")[0] == name]
