"""The probe `coding`: what every arm's codes are worth, beyond the score of a case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from preceptor.evaluation.arms import ARMS
from preceptor.evaluation.coding_measures import coding_facts
from preceptor.evaluation.metrics import primary

if TYPE_CHECKING:
    from preceptor.evaluation.probes import Material

SHOWN_CODES = 25  # of the table in the page; report.json has all


def probe(material: Material) -> dict[str, Any] | None:
    """Return `arms` (arm -> `coding_facts`), over all coding tasks together; None without a coding case."""
    arms: dict[str, dict[str, Any]] = {}
    for arm, predictions in material.by_arm.items():
        rows = [p for p in predictions if primary(p.case.task) == "code_f1"]
        if not rows:
            return None
        found = coding_facts(
            [p.case.prompt for p in rows], [p.case.answer for p in rows], [p.answer for p in rows]
        )
        arms[arm] = {"label": ARMS[arm][1], **found}
    gate = {
        f"{arm} {name}": facts[name]
        for arm, facts in arms.items()
        for name in ("invalid_rate", "not_billable_rate", "evidence_support")
        if facts[name] is not None
    } | {f"{arm} micro_f1": facts["codes"]["micro_f1"] for arm, facts in arms.items()}
    return {"arms": arms, "shown": SHOWN_CODES, "gate": gate}
