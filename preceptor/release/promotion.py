"""Moving the champion alias, forward and back. What shall be is written first, with the aliases before and after; then they
are moved; then the deed is written (`preceptor.release.intents`).

A version's files are asked smoke prompts before that, without the lock: loading a model may take minutes, in which a
rollback must be possible. Whoever finds another champion than there was when it was called is refused: of two at once one wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from preceptor.errors import GateRefused
from preceptor.release.intents import Promotion, carry_out, champions, settle, unfinished
from preceptor.release.lock import release_lock
from preceptor.release.registry import (
    CHAMPION,
    PREVIOUS,
    Tracking,
    VersionInfo,
    check_files,
    get_alias,
    resolve,
)
from preceptor.release.smoke import Smoke
from preceptor.release.standing import Validity, refusals, standing, unfit
from preceptor.release.store import Store


@dataclass(frozen=True, slots=True)
class Pending:
    """A version that has its approvals and waits for promotion; `event` is its last approval's id."""

    ref: str
    digest: str
    event: int


def promote(
    tracking: Tracking,
    store: Store,
    ref: str,
    *,
    required: int,
    validity: Validity,
    actor: str,
    smoke: Smoke | None = None,
) -> Promotion:
    """Make a version the champion, and the champion `previous`. Promoting the champion changes nothing.

    `smoke` asks the version's files the smoke prompts (`preceptor.serving.smoke`); what it returns goes into the record.

    Raises `GateRefused` (nothing was changed) without `required` signed approvals of different people, for a
    version that is rejected or barred, whose digest is not the signed one, whose gate decision has expired or was
    made by another policy, whose files do not answer, or if another became champion meanwhile; `RecordBroken` for a tampered
    record; `DamagedVersion` for changed files.
    """
    info = resolve(tracking, ref)
    seen = get_alias(tracking, info.name, CHAMPION)
    asked: dict[str, Any] | None = None if smoke else {}
    while True:
        with release_lock(store.folder):
            store.require_intact()
            found = get_alias(tracking, info.name, CHAMPION)
            settled = settle(tracking, store, info.name, required=required, validity=validity, actor=actor)
            if settled is not None and settled.champion == info.ref:
                return settled
            before = _aliases(tracking, info.name)
            if before[CHAMPION] == info.version:
                return _present(tracking, info.name, info.version)
            _require_seen(f"{info.ref} is not promoted", info.name, seen, found)
            stands = standing(store, info.ref)
            reasons = refusals(stands, info, required, validity)
            if reasons:
                raise GateRefused(
                    f"{info.ref} is not promoted: {'; '.join(reasons)}. Nothing was changed. "
                    f"An approver signs with `preceptor release approve {info.ref} --as USER --reason TEXT`."
                )
            check_files(tracking, info)
            if asked is not None:
                payload = {
                    "digest": info.digest,
                    "approvals": [event.id for event in stands.open_approvals],
                    "before": before,
                    "after": {CHAMPION: info.version, PREVIOUS: before[CHAMPION]},
                    **asked,
                }
                return carry_out(tracking, store, store.append("promoting", info.ref, actor, payload), actor)
        assert smoke is not None
        seen, asked = before[CHAMPION], {"smoke": smoke(info)}


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
    smoke: Smoke | None = None,
) -> Promotion:
    """Make the previous champion the champion again; the one before it becomes `previous`. With `to` (`NAME/VERSION`) that
    version, which must have been champion, and `previous` is the one it replaces: so a rollback is taken back, too. One that was
    killed is completed, and is then what was asked for.

    The gate policy of today does not bind it: what was in use under an older one must be there to go back to.
    Raises `GateRefused` (nothing was changed) if there is none, if it never was champion, if it is rejected, barred or
    changed, if another became champion meanwhile, or if its files do not answer (only with `smoke`, which takes as long as
    loading them).
    """
    seen = get_alias(tracking, name, CHAMPION)
    asked: dict[str, Any] | None = None if smoke else {}
    while True:
        with release_lock(store.folder):
            store.require_intact()
            found, begun = get_alias(tracking, name, CHAMPION), unfinished(store, name)
            settled = settle(tracking, store, name, required=required, validity=validity, actor=actor)
            if settled and begun and begun.kind == "rolling_back" and to in (None, settled.champion):
                return settled
            before = _aliases(tracking, name)
            if to is None:  # of two at once the second would go back twice
                _require_seen(f"{name} is not rolled back", name, seen, found)
            info = resolve(tracking, to) if to else _previous(tracking, name, before)
            if info.version == before[CHAMPION]:
                return _present(tracking, name, info.version)
            _require_fit_to_return(tracking, store, name, info)
            if asked is not None:
                line = champions(store, name)
                earlier = line[-3] if len(line) > 2 and line[-2] == info.version else None
                payload = {
                    "digest": info.digest,
                    "reason": reason,
                    "before": before,
                    "after": {CHAMPION: info.version, PREVIOUS: before[CHAMPION] if to else earlier},
                    **({} if to is None else {"named": True}),
                    **asked,
                }
                return carry_out(
                    tracking, store, store.append("rolling_back", info.ref, actor, payload), actor
                )
        assert smoke is not None
        seen, asked = before[CHAMPION], {"smoke": smoke(info)}


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


def _previous(tracking: Tracking, name: str, before: dict[str, Any]) -> VersionInfo:
    if before[PREVIOUS] is None:
        raise GateRefused(f"{name} has no previous champion to go back to. Nothing was changed.")
    return resolve(tracking, f"{name}/{before[PREVIOUS]}")


def _require_seen(what: str, name: str, seen: int | None, found: int | None) -> None:
    """What was asked for was about the champion of that moment; raise `GateRefused` if somebody else has changed it since."""
    if found != seen:
        raise GateRefused(
            f"{what}: {name}/{found} became champion meanwhile (rule overtaken). Nothing was changed. "
            "See `preceptor release list`; if you still want it, ask again."
        )


def _require_fit_to_return(tracking: Tracking, store: Store, name: str, info: VersionInfo) -> None:
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


def _present(tracking: Tracking, name: str, version: int) -> Promotion:
    previous = get_alias(tracking, name, PREVIOUS)
    return Promotion(f"{name}/{version}", f"{name}/{previous}" if previous is not None else None, None)


def _aliases(tracking: Tracking, name: str) -> dict[str, Any]:
    return {alias: get_alias(tracking, name, alias) for alias in (CHAMPION, PREVIOUS)}
