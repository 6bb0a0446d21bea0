"""Whether what changed between two versions lies within the plan of modifications that was agreed before.

changed                                  planned modification            finding
data.curated                             "new data" changes data.*       within
recipe.recipe.optimizer.learning_rate    allowed 1e-4 to 1e-3, is 2e-3   outside its range
base_model.digest                        nothing names it                not planned
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from preceptor.release.differences import differences, flat
from preceptor.settings import AllowedRange, ChangePlanSettings

# What a bundle says of a version's making, by kind of change; the rest of it (results of the evaluation, what the gate
# found, the name of the model made) follows from these.
KINDS = {
    "Data": ("data.curated", "data.synthetic", "deid_versions"),
    "Recipe": ("recipe.*", "seeds.*"),
    "Base model": ("base_model.*",),
    "Code": ("code.*", "code", "lock"),
    "Gate policy": ("gate.policy",),
}
WITHIN, OUTSIDE, UNPLANNED = "within the plan", "outside its allowed range", "not planned"


@dataclass(frozen=True, slots=True)
class Change:
    """One key that two bundles say differently; `modifications` are the planned ones that name it."""

    kind: str
    key: str
    before: str
    after: str
    modifications: tuple[str, ...]
    finding: str | None  # None: there is no plan


@dataclass(frozen=True, slots=True)
class Verification:
    """What a planned modification wants verified, and what the gate found: True, False, or None where nothing did."""

    modification: str
    rule: str
    met: bool | None
    found: tuple[str, ...]


def changes(
    before: Mapping[str, Any], after: Mapping[str, Any], plan: ChangePlanSettings | None
) -> list[Change]:
    """What was changed from one bundle to the other, kind by kind, and how it stands to the plan."""
    values = flat(after)
    found = []
    for key, one, other in differences(before, after):
        kind = next((kind for kind, keys in KINDS.items() if _named(key, keys)), None)
        if kind is None:
            continue
        planned = (
            {name: m for name, m in plan.modifications.items() if _named(key, m.changes)} if plan else {}
        )
        ranges = [r for m in planned.values() for k, r in m.allowed.items() if fnmatchcase(key, k)]
        finding = None
        if plan:
            fits = all(_fits(values.get(key), limit) for limit in ranges)
            finding = UNPLANNED if not planned else WITHIN if fits else OUTSIDE
        found.append(Change(kind, key, one, other, tuple(planned), finding))
    order = list(KINDS)
    return sorted(found, key=lambda change: (order.index(change.kind), change.key))


def verifications(
    found: list[Change], plan: ChangePlanSettings | None, gate: Mapping[str, Any] | None
) -> list[Verification]:
    """What the modifications that were made want verified, against the rules of the gate that decided."""
    if plan is None:
        return []
    reasons = (gate or {}).get("reasons", ())
    made = dict.fromkeys(name for change in found for name in change.modifications)
    rows = []
    for name in made:
        for rule in plan.modifications[name].verification:
            matching = [reason for reason in reasons if fnmatchcase(reason["rule"], rule)]
            met = all(reason["passed"] for reason in matching) if matching else None
            rows.append(Verification(name, rule, met, tuple(reason["text"] for reason in matching)))
    return rows


def within(found: list[Change], verified: list[Verification], plan: ChangePlanSettings | None) -> bool | None:
    """Whether all changes lie within the plan and all that it wants verified is met; None without a plan."""
    if plan is None:
        return None
    return all(change.finding == WITHIN for change in found) and all(each.met is True for each in verified)


def _named(key: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(key, pattern) for pattern in patterns)


def _fits(value: Any, limit: AllowedRange) -> bool:
    if limit.one_of is not None and value not in limit.one_of:
        return False
    if limit.min is None and limit.max is None:
        return True
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return (limit.min is None or value >= limit.min) and (limit.max is None or value <= limit.max)
