"""Signing: a person signs one exact version, by name, run, digest and evaluation.

A signature says who (account and printed name), in which role, when, and what it means: reviewed, approved or rejected
(21 CFR 11.50(a)). It is over the digest of the version's files and its own place in the record, so that it can be moved to
nothing else (11.70), and takes name and password anew each time (11.200(a)(1)).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from preceptor.errors import GateRefused
from preceptor.release.chain import Event
from preceptor.release.registry import (
    CANDIDATE,
    CHAMPION,
    Tracking,
    VersionInfo,
    check_files,
    resolve,
    set_alias,
)
from preceptor.release.standing import MAY_APPROVE, MAY_REJECT, standing, unfit
from preceptor.release.store import Store
from preceptor.release.users import Signer, entitled

Meaning = Literal["reviewed", "approved", "rejected"]
MAY_REVIEW = frozenset({"reviewer", "approver", "privacy", "admin"})


def approve(
    tracking: Tracking,
    store: Store,
    ref: str,
    *,
    as_user: str,
    password: str,
    reason: str,
    shown: Mapping[str, str] | None = None,
) -> Event:
    """Sign that a version may be the champion; return the event. Signing what one has signed changes nothing.

    `shown` is what the person had before them: the name of each paper and its SHA-256.

    Raises `NotAuthenticated` for a wrong name or password, and `GateRefused` if the person's role may not
    approve, if the version is rejected, barred, refused by the evaluation gate, champion already, or not what
    was registered.
    """
    signer = entitled(store, as_user, password, MAY_APPROVE, "approve a version", reason)
    info = resolve(tracking, ref)
    stands = standing(store, info.ref)
    reasons = unfit(stands, info) + (["it is the champion already"] if CHAMPION in info.aliases else [])
    if reasons:
        raise GateRefused(f"{info.ref} cannot be approved: {'; '.join(reasons)}. Nothing was changed.")
    mine = [event for event in stands.open_approvals if event.actor == signer.name]
    if mine:
        return mine[-1]
    check_files(tracking, info)
    return store.append(
        "approved", info.ref, signer.name, _payload(info, signer, "approved", reason, shown), signer.sign
    )


def reject(
    tracking: Tracking,
    store: Store,
    ref: str,
    *,
    as_user: str,
    password: str,
    reason: str,
    shown: Mapping[str, str] | None = None,
) -> Event:
    """Sign that a version shall never be the champion; return the event. Final: it is candidate no more.

    Raises `NotAuthenticated`, or `GateRefused` if the role may not reject or the version is the champion now.
    """
    signer = entitled(store, as_user, password, MAY_REJECT, "reject a version", reason)
    info = resolve(tracking, ref)
    if CHAMPION in info.aliases:
        raise GateRefused(
            f"{info.ref} is the champion; roll back first (`preceptor release rollback`), then reject."
        )
    event = standing(store, info.ref).rejected or store.append(
        "rejected", info.ref, signer.name, _payload(info, signer, "rejected", reason, shown), signer.sign
    )
    if CANDIDATE in info.aliases:
        set_alias(tracking, info.name, CANDIDATE, None)
    return event


def review(
    tracking: Tracking,
    store: Store,
    ref: str,
    *,
    as_user: str,
    password: str,
    reason: str,
    shown: Mapping[str, str] | None = None,
) -> Event:
    """Sign that one has reviewed a version. It lets nothing pass and stops nothing.

    Raises `NotAuthenticated` for a wrong name or password, `UsageError` without a reason.
    """
    signer = entitled(store, as_user, password, MAY_REVIEW, "review a version", reason)
    info = resolve(tracking, ref)
    check_files(tracking, info)
    payload = _payload(info, signer, "reviewed", reason, shown)
    return store.append("version_reviewed", info.ref, signer.name, payload, signer.sign)


def _payload(
    info: VersionInfo, signer: Signer, meaning: Meaning, reason: str, shown: Mapping[str, str] | None
) -> dict[str, Any]:
    return {
        "version": info.ref,
        "run_id": info.run_id,
        "digest": info.digest,
        "evaluation": info.evaluation,
        "role": signer.role,
        "printed_name": signer.printed_name,
        "meaning": meaning,
        "reason": reason.strip(),
        **({"shown": dict(shown)} if shown else {}),
    }
