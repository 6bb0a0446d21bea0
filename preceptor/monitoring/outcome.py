"""What a retraining brought: a candidate, or a note on why it ends there."""

from __future__ import annotations

from preceptor.monitoring.retraining_record import CANDIDATE, NOT_BETTER, NOTHING_NEW
from preceptor.release import registry
from preceptor.release.gates import GateDecision


def brought(info: registry.VersionInfo, decision: GateDecision) -> tuple[str, str]:
    """Return the outcome, as the record of retrainings names it, and a note of figures and rules, without text of cases."""
    if registry.CHAMPION in info.aliases:
        return NOTHING_NEW, f"The data gave {info.ref} again, which is champion already: it ends here."
    if not decision.passed:
        refused = "; ".join(reason.text for reason in decision.reasons if not reason.passed)
        return NOT_BETTER, f"{info.ref} is not good enough to replace the champion and ends here: {refused}."
    if registry.CANDIDATE in info.aliases:
        return CANDIDATE, f"{info.ref} is better by every rule of the gates and waits for approval."
    return NOTHING_NEW, f"{info.ref} was decided on before, and does not wait again: it ends here."
