"""Moving the champion alias, forward and back, so that a kill at any moment is made good by the next call.

What shall be is written first (`promoting`, `rolling_back`), with the aliases before and after; then the
aliases are moved; then the deed is written (`promoted`, `rolled_back`). Whoever comes next finds an intent
without its deed and completes it, or takes it back if the version has become unfit meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from preceptor.errors import GateRefused
from preceptor.release.chain import Event
from preceptor.release.lock import release_lock
from preceptor.release.registry import (
    CANDIDATE,
    CHAMPION,
    PREVIOUS,
    Tracking,
    VersionInfo,
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


@dataclass(frozen=True, slots=True)
class Pending:
    """A version that has its approvals and waits for promotion; `event` is its last approval's id."""

    ref: str
    digest: str
    event: int


def promote(
    tracking: Tracking, store: Store, ref: str, *, required: int, validity: Validity, actor: str
) -> Promotion:
    """Make a version the champion, and the champion `previous`. Promoting the champion changes nothing.

    Raises `GateRefused` (nothing was changed) without `required` signed approvals of different people, for a
    version that is rejected or barred, whose digest is not the signed one, or whose gate decision has expired or was
    made by another policy; `RecordBroken` for a tampered record; `DamagedVersion` for changed files.
    """
    with release_lock(store.folder):
        store.require_intact()
        info = resolve(tracking, ref)
        settle(tracking, store, info.name, required=required, validity=validity, actor=actor)
        champion = get_alias(tracking, info.name, CHAMPION)
        if champion == info.version:
            return _present(tracking, info.name, info.version)
        stands = standing(store, info.ref)
        reasons = refusals(stands, info, required, validity)
        if reasons:
            raise GateRefused(
                f"{info.ref} is not promoted: {'; '.join(reasons)}. Nothing was changed. "
                f"An approver signs with `preceptor release approve {info.ref} --as USER --reason TEXT`."
            )
        check_files(tracking, info)
        intent = store.append(
            "promoting",
            info.ref,
            actor,
            {
                "digest": info.digest,
                "approvals": [event.id for event in stands.open_approvals],
                "before": _aliases(tracking, info.name),
                "after": {CHAMPION: info.version, PREVIOUS: champion},
            },
        )
        return _carry_out(tracking, store, intent, actor)


def rollback(
    tracking: Tracking,
    store: Store,
    name: str,
    *,
    required: int,
    validity: Validity,
    actor: str,
    reason: str,
    to: str | None = None,
) -> Promotion:
    """Make the previous champion the champion again; the one before it becomes `previous`. With `to` (`NAME/VERSION`) that
    version, which must have been champion, and `previous` is the one it replaces: so a rollback is taken back, too.

    The gate policy of today does not bind it: what was in use under an older one must be there to go back to.
    Raises `GateRefused` (nothing was changed) if there is none, if it never was champion, or if it is rejected, barred or
    changed.
    """
    with release_lock(store.folder):
        store.require_intact()
        settle(tracking, store, name, required=required, validity=validity, actor=actor)
        before = _aliases(tracking, name)
        info = resolve(tracking, to) if to else _previous(tracking, name, before)
        if info.version == before[CHAMPION]:
            return _present(tracking, name, info.version)
        if info.name != name or not store.events(subject=info.ref, kinds=("promoted",)):
            raise GateRefused(
                f"{info.ref} was never champion of {name}: a rollback goes to a version that was. Nothing was changed; "
                "another is promoted, with its approvals."
            )
        reasons = unfit(standing(store, info.ref), info)
        if reasons:
            raise GateRefused(
                f"{name} cannot go back to {info.ref}: {'; '.join(reasons)}. Nothing was changed; "
                "promote another approved version."
            )
        check_files(tracking, info)
        line = champions(store, name)
        earlier = line[-3] if len(line) > 2 and line[-2] == info.version else None
        back = {} if to is None else {"named": True}
        intent = store.append(
            "rolling_back",
            info.ref,
            actor,
            {
                "digest": info.digest,
                "reason": reason,
                "before": before,
                "after": {CHAMPION: info.version, PREVIOUS: before[CHAMPION] if to else earlier},
                **back,
            },
        )
        return _carry_out(tracking, store, intent, actor)


def settle(
    tracking: Tracking, store: Store, name: str, *, required: int, validity: Validity, actor: str
) -> None:
    """Complete what was begun and killed, or take it back if the version may not be champion any more.

    The caller holds the lock.
    """
    intent = unfinished(store, name)
    if intent is None:
        return
    info = resolve(tracking, intent.subject)
    stands = standing(store, info.ref)
    reasons = (
        refusals(stands, info, required, validity) if intent.kind == "promoting" else unfit(stands, info)
    )
    if not reasons:
        _carry_out(tracking, store, intent, actor)
        return
    before = intent.payload["before"]
    for alias in (PREVIOUS, CHAMPION):
        set_alias(tracking, name, alias, before[alias])
    store.append(
        "gate_refused", info.ref, actor, {"gate": "promotion", "intent": intent.id, "reasons": reasons}
    )


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


def pending(store: Store, *, required: int, since: int = 0) -> list[Pending]:
    """Versions that have their approvals and were not promoted yet, by their last approval; for the sensor.

    `since` leaves out what was approved up to that event. Reads SQLite only: MLflow is not imported. That the
    registry still holds the signed digest is seen at promotion.
    """
    store.require_intact()
    waiting = []
    for ref in dict.fromkeys(event.subject for event in store.events(kinds=("approved",), since=since)):
        stands = standing(store, ref)
        if stands.rejected or stands.barred or len(stands.signers) < max(required, 1):
            continue
        last = stands.open_approvals[-1]
        if last.id > since:
            waiting.append(Pending(ref, last.payload["digest"], last.id))
    return sorted(waiting, key=lambda item: item.event)


def _carry_out(tracking: Tracking, store: Store, intent: Event, actor: str) -> Promotion:
    name, version, _ = parse_ref(intent.subject)
    after = intent.payload["after"]
    for alias in (PREVIOUS, CHAMPION):
        set_alias(tracking, name, alias, after[alias])
    if get_alias(tracking, name, CANDIDATE) == version:
        set_alias(tracking, name, CANDIDATE, None)
    deed = store.append(_DEEDS[intent.kind], intent.subject, actor, {"intent": intent.id, **intent.payload})
    previous = after[PREVIOUS]
    return Promotion(intent.subject, f"{name}/{previous}" if previous is not None else None, deed.id)


def _previous(tracking: Tracking, name: str, before: dict[str, Any]) -> VersionInfo:
    if before[PREVIOUS] is None:
        raise GateRefused(f"{name} has no previous champion to go back to. Nothing was changed.")
    return resolve(tracking, f"{name}/{before[PREVIOUS]}")


def _present(tracking: Tracking, name: str, version: int) -> Promotion:
    previous = get_alias(tracking, name, PREVIOUS)
    return Promotion(f"{name}/{version}", f"{name}/{previous}" if previous is not None else None, None)


def _aliases(tracking: Tracking, name: str) -> dict[str, Any]:
    return {alias: get_alias(tracking, name, alias) for alias in (CHAMPION, PREVIOUS)}


def _of_model(store: Store, name: str, kinds: tuple[str, ...]) -> list[Event]:
    return [event for event in store.events(kinds=kinds) if event.subject.rpartition("/")[0] == name]
