"""What the record says about one model version: registered, approved by whom, rejected, barred, promoted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from preceptor.release.chain import Event, signature_holds
from preceptor.release.registry import CANDIDATE, CHAMPION, PREVIOUS, VersionInfo
from preceptor.release.store import Store

MAY_APPROVE = frozenset({"approver", "admin"})
MAY_REJECT = frozenset({"approver", "admin", "privacy"})


@dataclass(frozen=True, slots=True)
class Standing:
    """The decisions about one version. An approval is listed only if its signature holds.

    `open_approvals` are those since the version last became champion: that uses up what was signed before, so
    that a version that was replaced or rolled back needs new signatures to come again.
    """

    ref: str
    registered: Event | None
    approvals: tuple[Event, ...]
    open_approvals: tuple[Event, ...]
    rejected: Event | None
    barred: Event | None

    @property
    def signers(self) -> tuple[str, ...]:
        """Who has approved what was not promoted yet, each once."""
        return tuple(dict.fromkeys(event.actor for event in self.open_approvals))


def standing(store: Store, ref: str) -> Standing:
    """Read what the record says about `NAME/VERSION`, checking signatures and roles on the way."""
    known = store.people()
    events = store.events(subject=ref)

    def signed(event: Event, roles: frozenset[str]) -> bool:
        person = known.get(event.actor)
        return (
            person is not None and person.may_sign(event, roles) and signature_holds(event, person.public_key)
        )

    registered = _last(events, "registered")
    crowned = _last(events, "promoted", "rolled_back")
    approvals = tuple(
        event
        for event in events
        if event.kind == "approved"
        and signed(event, MAY_APPROVE)
        and registered is not None
        and _same_version(event, registered)
    )
    rejections = [event for event in events if event.kind == "rejected" and signed(event, MAY_REJECT)]
    return Standing(
        ref=ref,
        registered=registered,
        approvals=approvals,
        open_approvals=tuple(event for event in approvals if crowned is None or event.id > crowned.id),
        rejected=rejections[-1] if rejections else None,
        barred=_last(events, "barred"),
    )


def unfit(stands: Standing, info: VersionInfo) -> list[str]:
    """Why a version may never be the champion, whoever signs; empty if nothing stands against it."""
    reasons = []
    if stands.registered is None:
        reasons.append("it was not registered through Preceptor")
    else:
        recorded = stands.registered.payload
        for key, now in (("digest", info.digest), ("run_id", info.run_id), ("evaluation", info.evaluation)):
            if recorded[key] != now:
                reasons.append(f"its {key} in the registry is not the one that was recorded")
        if not recorded["gate"]["passed"]:
            reasons.append("the evaluation gate refused it")
    if stands.rejected:
        reasons.append(f"{stands.rejected.actor} rejected it")
    if stands.barred:
        reasons.append("it is barred")
    return reasons


@dataclass(frozen=True, slots=True)
class Validity:
    """Under which gates, and for how long, an evaluation lets a version be promoted.

    `policy` is the digest of the gate policy in force (`policy.policy_digest`); `days` after its registration a decision
    expires, with 0 never.
    """

    policy: str
    days: int = 0

    def lapsed(self, registered: Event) -> list[str]:
        """Why the recorded decision does not hold any more; empty if it does."""
        reasons = []
        if registered.payload["gate"].get("policy") != self.policy:
            reasons.append(
                "the gates were changed since it was decided on (rule policy): run the pipeline again"
            )
        age = (datetime.now(UTC) - datetime.fromisoformat(registered.at)).days
        if self.days and age < -1:  # timedelta.days rounds down: more than a day ahead
            reasons.append(
                f"by the clock of this machine its evaluation lies {-age} days ahead (rule clock-jump): set the clock, or evaluate it "
                "again"
            )
        if self.days and age > self.days:
            reasons.append(
                f"its evaluation is {age} days old, {self.days} at most are allowed (rule expired): evaluate it again"
            )
        return reasons


def refusals(stands: Standing, info: VersionInfo, required: int, validity: Validity) -> list[str]:
    """Why a version may not be promoted now; empty if it may. At least one approval is always needed."""
    reasons, required = unfit(stands, info), max(required, 1)
    if stands.registered is not None:
        reasons += validity.lapsed(stands.registered)
    if len(stands.signers) < required:
        reasons.append(f"it has {len(stands.signers)} of {required} required approvals")
    return reasons


def status(stands: Standing, info: VersionInfo, required: int) -> str:
    """One word for a list: champion, previous, barred, rejected, approved, candidate or registered."""
    for alias in (CHAMPION, PREVIOUS):
        if alias in info.aliases:
            return alias
    if stands.barred:
        return "barred"
    if stands.rejected:
        return "rejected"
    if len(stands.signers) >= max(required, 1):
        return "approved"
    return CANDIDATE if CANDIDATE in info.aliases else "registered"


def _last(events: list[Event], *kinds: str) -> Event | None:
    return next((event for event in reversed(events) if event.kind in kinds), None)


def _same_version(approval: Event, registered: Event) -> bool:
    signed, recorded = approval.payload, registered.payload
    return all(signed[key] == recorded[key] for key in ("digest", "run_id", "evaluation"))
