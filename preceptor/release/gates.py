"""The evaluation gate: may this fine-tuned model wait for approval? A pure function of the report's facts."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from preceptor.settings import GateSettings


@dataclass(frozen=True, slots=True)
class GateReason:
    """One rule with what was measured and what is required; `text` says it for people."""

    rule: str
    passed: bool
    measured: float | None
    required: float
    text: str

    def facts(self) -> dict[str, Any]:
        """The same as a JSON-able mapping."""
        return {
            "rule": self.rule,
            "passed": self.passed,
            "measured": self.measured,
            "required": self.required,
            "text": self.text,
        }


@dataclass(frozen=True, slots=True)
class GateDecision:
    """The decision with every rule that was looked at, the passed ones too."""

    passed: bool
    reasons: tuple[GateReason, ...]

    def facts(self) -> dict[str, Any]:
        """The same as a JSON-able mapping."""
        return {"passed": self.passed, "reasons": [reason.facts() for reason in self.reasons]}


def decide(report: Mapping[str, Any], settings: GateSettings, champion: str | None = None) -> GateDecision:
    """Decide on the facts of evaluation's report.json.

    Read are `n_cases` and `comparisons`: `finetuned_vs_base` and, where `champion` names the present one,
    `finetuned_vs_champion`; each `{difference, low, high, per_task: {task: difference}}`, differences of the
    paired macro-average over tasks on a scale of 0 to 1, `low` and `high` the ends of the 95 % interval. What
    is missing or no number fails its rule: a gate that cannot see says no.
    """
    comparisons = report.get("comparisons") or {}
    base = comparisons.get("finetuned_vs_base") or {}
    reasons = [
        _reason(
            "cases", report.get("n_cases"), settings.min_cases, "{m:.0f} test cases, at least {r:.0f} needed"
        ),
        _reason(
            "gain-over-base",
            base.get("low"),
            settings.min_gain_over_base,
            "lower end of the gain over the base model {m:+.4f}, must exceed {r:+.4f}",
            operator.gt,
        ),
    ]
    per_task = base.get("per_task") or {}
    for task, difference in sorted(per_task.items()):
        reasons.append(
            _reason(
                f"task-loss:{task}",
                difference,
                -settings.max_task_loss_to_base,
                f"{task}: mean difference to the base model {{m:+.4f}}, may not fall below {{r:+.4f}}",
            )
        )
    if not per_task:
        reasons.append(_reason("task-loss", None, -settings.max_task_loss_to_base, ""))
    if champion is not None:
        reasons.append(
            _reason(
                "loss-to-champion",
                (comparisons.get("finetuned_vs_champion") or {}).get("low"),
                -settings.max_loss_to_champion,
                f"lower end of the difference to the champion {champion} {{m:+.4f}}, "
                "may not fall below {r:+.4f}",
            )
        )
    return GateDecision(all(reason.passed for reason in reasons), tuple(reasons))


def _reason(
    rule: str,
    measured: Any,
    required: float,
    text: str,
    meets: Callable[[float, float], bool] = operator.ge,
) -> GateReason:
    if isinstance(measured, bool) or not isinstance(measured, int | float) or not math.isfinite(measured):
        said = f"{rule}: the report does not say; measure it and try again"
        return GateReason(rule, False, None, required, said)
    said = text.format(m=measured, r=required)
    return GateReason(rule, meets(measured, required), float(measured), required, said)
