"""The fine-tuned model's scores by group, each against the others in the same tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from preceptor.evaluation.fairness.counterfactuals import counterfactuals
from preceptor.evaluation.fairness.shortfall import shortfall
from preceptor.evaluation.statistics import holm
from preceptor.language import language

if TYPE_CHECKING:
    from preceptor.evaluation.probes import Material

MIN_PATIENTS = 10  # a smaller group is listed and nothing is concluded of it


def fairness(material: Material) -> dict[str, Any] | None:
    """Facts: `groups` (a row each), `counterfactuals`, `gate`. None without a fine-tuned model.

    `gate.worst_group_gap` is the largest shortfall that is shown, on the scale 0 to 1, and 0 where none is: the largest of
    many estimates is above 0.05 by chance alone. It is absent where no group is large enough, so that a rule that asks for
    it does not pass unseen.
    """
    rows = material.by_arm.get("finetuned")
    if not rows:
        return None
    fields = {
        "specialty": [r.case.specialty for r in rows],
        "language": [language(r.case.source) or "unknown" for r in rows],
        "sex": [r.case.sex or "unknown" for r in rows],
        "age band": [r.case.age_band or "unknown" for r in rows],
    }
    found: list[dict[str, Any]] = []
    for field, values in fields.items():
        for group in sorted(set(values)) if len(set(values)) > 1 else ():
            inside = [value == group for value in values]
            mine = [r for r, i in zip(rows, inside, strict=True) if i]
            patients = len({r.patient for r in mine})
            others = len({r.patient for r, i in zip(rows, inside, strict=True) if not i})
            row: dict[str, Any] = {
                "field": field,
                "group": group,
                "cases": len(mine),
                "patients": patients,
                "mean": sum(r.primary for r in mine) / len(mine),
                "small": min(patients, others) < MIN_PATIENTS,
            }
            gap = (
                None
                if row["small"]
                else shortfall(
                    [r.primary for r in rows],
                    [r.case.task for r in rows],
                    [r.patient for r in rows],
                    inside,
                    samples=material.settings.bootstrap_samples,
                    seed=material.settings.seed,
                )
            )
            row["gap"] = {"mean": gap.mean, "low": gap.low, "high": gap.high, "p": gap.p} if gap else None
            found.append(row)
    adjusted = holm({f"{r['field']} {r['group']}": r["gap"]["p"] for r in found if r["gap"]})
    for row in found:
        p = adjusted.get(f"{row['field']} {row['group']}")
        row["worse"] = bool(p is not None and p < 0.05 and row["gap"]["mean"] > 0)
    looked_at = [r for r in found if r["gap"]]
    worst = max((r["gap"]["mean"] for r in looked_at if r["worse"]), default=0.0)
    facts: dict[str, Any] = {
        "min_patients": MIN_PATIENTS,
        "groups": found,
        "counterfactuals": counterfactuals(material),
        "gate": {"worst_group_gap": worst} if looked_at else {},
    }
    facts["gate"] |= (facts["counterfactuals"] or {}).pop("gate", {})
    return facts
