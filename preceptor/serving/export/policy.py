"""Which bundle may be made for which place. Weights trained on de-identified notes are amber: they may remember some."""

from __future__ import annotations

from datetime import UTC, date, datetime

from preceptor.errors import GateRefused
from preceptor.release.standing import Standing
from preceptor.settings import ExportSettings


def require_target(kind: str, settings: ExportSettings, today: date | None = None) -> None:
    """Raise `GateRefused` unless the settings open the kind's place for amber, and for a cloud an agreement holds."""
    target = settings.targets.get(kind)  # type: ignore[call-overload]

    def refuse(rule: str, what: str, remedy: str) -> None:
        raise GateRefused(f"No {kind} bundle was made: {what} (rule {rule}). {remedy}")

    if target is None:
        refuse(
            "target-not-open",
            f"export.targets has no {kind}",
            f"Whoever answers for the data opens it with export.targets.{kind}; docs/export.md shows one.",
        )
        return
    if target.zone != "amber":
        refuse(
            "zone-not-allowed",
            f"export.targets.{kind}.zone is {target.zone}, and weights trained on de-identified text are amber",
            "Whoever answers for the data opens it with zone: amber.",
        )
    if target.where == "on-premises" and kind not in ("sagemaker", "azureml"):
        return
    if target.baa is None:
        refuse(
            "baa-missing",
            "that is a cloud, and no business associate agreement is on file for it",
            f"Have one signed, and put where it is filed into export.targets.{kind}.baa.",
        )
        return
    if target.baa.expires < (today or datetime.now(UTC).date()):
        refuse(
            "baa-expired",
            f"the agreement {target.baa.reference} held until {target.baa.expires}",
            f"Renew it, then set export.targets.{kind}.baa.expires.",
        )
    if target.region not in target.baa.regions:
        refuse(
            "region-not-covered",
            f"export.targets.{kind}.region is {target.region or 'not set'}, and the agreement {target.baa.reference} is for "
            f"{', '.join(target.baa.regions) or 'no region'}",
            "Choose one of those regions.",
        )


def require_approved(stands: Standing, required: int) -> None:
    """Raise `GateRefused` for a version that was never approved: a bundle leaves the record's reach."""
    signers = {event.actor for event in stands.approvals}
    if len(signers) < max(required, 1):
        raise GateRefused(
            f"{stands.ref} is not exported: it has {len(signers)} of {max(required, 1)} required approvals (rule not-approved). "
            f"An approver signs with `preceptor release approve {stands.ref} --as USER --reason TEXT`."
        )
