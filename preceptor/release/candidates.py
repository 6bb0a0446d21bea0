"""How a model comes in: registered, recorded with its gate decision, and candidate if the gate agrees."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from preceptor.errors import UsageError
from preceptor.release.artifacts import weights_digest
from preceptor.release.gates import GateDecision
from preceptor.release.lock import release_lock
from preceptor.release.registry import (
    CHAMPION,
    Tracking,
    VersionInfo,
    get_alias,
    list_versions,
    register,
    resolve,
    set_candidate,
)
from preceptor.release.standing import standing, status
from preceptor.release.store import Store


def submit(
    tracking: Tracking,
    store: Store,
    name: str,
    run_id: str | None,
    model_dir: Path,
    bundle: dict[str, Any],
    decision: GateDecision,
    *,
    actor: str,
) -> VersionInfo:
    """Register a model and what the evaluation gate decided; let it be the candidate if the gate passed it.

    A refused model is registered too: lineage and erasure must know it. It can never be approved.
    The same content again changes nothing; killed in between, the next call completes it. The champion's own
    files come back as the champion, although an evaluation that now compares with it gives another bundle.
    """
    with release_lock(store.folder):
        if get_alias(tracking, name, CHAMPION) is not None:
            champion = resolve(tracking, f"{name}@{CHAMPION}")
            if champion.weights == weights_digest(model_dir):
                return champion
        info = register(tracking, name, run_id, model_dir, bundle | {"gate": decision.facts()})
        stands = standing(store, info.ref)
        if stands.registered is None:
            store.append(
                "registered",
                info.ref,
                actor,
                {
                    "version": info.ref,
                    "run_id": info.run_id,
                    "digest": info.digest,
                    "evaluation": info.evaluation,
                    "data": info.data,
                    "headline": bundle["evaluation"].get("headline"),
                    "gate": decision.facts(),
                },
            )
        if not decision.passed and not store.events(subject=info.ref, kinds=("gate_refused",)):
            failed = [reason.facts() for reason in decision.reasons if not reason.passed]
            store.append("gate_refused", info.ref, actor, {"gate": "evaluation", "reasons": failed})
        if decision.passed and _never_decided(store, info):
            set_candidate(tracking, info)
    return resolve(tracking, info.ref)


def bar(store: Store, refs: Sequence[str], *, reason: str, actor: str) -> list[str]:
    """Bar versions from ever being promoted or rolled back to; return those that were not barred before.

    Used when a patient is erased whose documents they were made from. `refs` are `NAME/VERSION`.
    """
    if not reason.strip():
        raise UsageError("A version is barred for a reason; give one.")
    new = []
    with release_lock(store.folder), store.transaction():
        for ref in dict.fromkeys(refs):
            if not store.events(subject=ref, kinds=("barred",)):
                store.append("barred", ref, actor, {"version": ref, "reason": reason.strip()})
                new.append(ref)
    return new


def overview(
    tracking: Tracking, store: Store, required: int, name: str | None = None
) -> list[dict[str, Any]]:
    """One row for every version: its names, aliases, digest, status, headline figures, gate and approvals."""
    store.require_intact()
    rows = []
    for info in list_versions(tracking, name):
        stands = standing(store, info.ref)
        recorded = stands.registered.payload if stands.registered else {}
        rows.append(
            {
                "name": info.name,
                "version": info.version,
                "ref": info.ref,
                "aliases": list(info.aliases),
                "digest": info.digest,
                "status": status(stands, info, required),
                "created": info.created,
                "evaluation": info.evaluation,
                "headline": recorded.get("headline"),
                "gate": recorded.get("gate"),
                "approvals": [event.actor for event in stands.approvals],
                "barred": stands.barred is not None,
            }
        )
    return rows


def _never_decided(store: Store, info: VersionInfo) -> bool:
    """A version that was promoted, rejected or barred does not wait again because its pipeline runs again."""
    return not store.events(subject=info.ref, kinds=("promoting", "promoted", "rejected", "barred"))
