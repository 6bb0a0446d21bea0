"""The evaluation gate: may this fine-tuned model wait for approval? A pure function of the report's facts."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from preceptor.release.policy import policy_digest
from preceptor.settings import GateSettings, Limit, UseCaseGate

GAIN = "gain-over-champion"


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
    """The decision with every rule that was looked at, the passed ones too; `policy` is the digest of the thresholds."""

    passed: bool
    reasons: tuple[GateReason, ...]
    policy: str = ""

    def facts(self) -> dict[str, Any]:
        """The same as a JSON-able mapping."""
        return {
            "passed": self.passed,
            "reasons": [reason.facts() for reason in self.reasons],
            "policy": self.policy,
        }


def decide(report: Mapping[str, Any], settings: GateSettings, champion: str | None = None) -> GateDecision:
    """Decide on the facts of evaluation's report.json; `settings` are the thresholds in force (`policy.in_force`).

    Read are `n_cases`, `cases_by_task`, `arms.finetuned.tasks`, `comparisons` and `probes`: of comparisons
    `finetuned_vs_base` and, where `champion` names the present one, `finetuned_vs_champion`; each `{difference, low,
    high, per_task: {task: difference}, per_task_intervals: {task: [low, high]}}`, differences of the paired
    macro-average over tasks on a scale of 0 to 1, `low` and `high` the ends of the 95 % interval. What
    is missing or no number fails its rule: a gate that cannot see says no.
    """
    reasons = (
        *_overall(report, settings, champion),
        *_by_use_case(report, settings, champion),
        *_limits(settings.limits, lambda name: _probed(report, name)),
        *_regression(report, settings),
    )
    return GateDecision(all(reason.passed for reason in reasons), reasons, policy_digest(settings))


def asking_gain(
    decision: GateDecision, report: Mapping[str, Any], champion: str | None, least: float
) -> GateDecision:
    """The decision with the rule that the model gain more than `least` over the champion, as a retraining must.

    It is stricter than the policy and never laxer, so that the policy's digest stays. Without a champion, or where the
    policy asks for as much, nothing is added.
    """
    asked = [reason.required for reason in decision.reasons if reason.rule == GAIN]
    if champion is None or (asked and asked[0] >= least):
        return decision
    added = _gain_over_champion(report, champion, least)
    reasons = (*(reason for reason in decision.reasons if reason.rule != GAIN), added)
    return GateDecision(all(reason.passed for reason in reasons), reasons, decision.policy)


def _gain_over_champion(report: Mapping[str, Any], champion: str, least: float) -> GateReason:
    low = _comparison(report, "champion").get("low")
    said = f"lower end of the gain over the champion {champion} {{m:+.4f}}, must exceed {{r:+.4f}}"
    return _reason(GAIN, low, least, said, operator.gt)


def _overall(report: Mapping[str, Any], settings: GateSettings, champion: str | None) -> Iterator[GateReason]:
    base = _comparison(report, "base")
    said = "{m:.0f} test cases, at least {r:.0f} needed"
    yield _reason("cases", report.get("n_cases"), settings.min_cases, said)
    said = "lower end of the gain over the base model {m:+.4f}, must exceed {r:+.4f}"
    yield _reason("gain-over-base", base.get("low"), settings.min_gain_over_base, said, operator.gt)
    per_task = base.get("per_task") or {}
    for task, difference in sorted(per_task.items()):
        own = settings.use_cases.get(task, UseCaseGate()).max_loss_to_base
        most = settings.max_task_loss_to_base if own is None else own
        said = f"{task}: mean difference to the base model {{m:+.4f}}, may not fall below {{r:+.4f}}"
        yield _reason(f"task-loss:{task}", difference, -most, said)
    if not per_task:
        yield _reason("task-loss", None, -settings.max_task_loss_to_base, "")
    if champion is None:
        return
    low = _comparison(report, "champion").get("low")
    said = f"lower end of the difference to the champion {champion} {{m:+.4f}}, may not fall below {{r:+.4f}}"
    yield _reason("loss-to-champion", low, -settings.max_loss_to_champion, said)
    if settings.min_gain_over_champion is not None:
        yield _gain_over_champion(report, champion, settings.min_gain_over_champion)


def _by_use_case(
    report: Mapping[str, Any], settings: GateSettings, champion: str | None
) -> Iterator[GateReason]:
    """What use cases must show by themselves. One that the policy names and the report lacks fails what it asks."""
    scored = ((report.get("arms") or {}).get("finetuned") or {}).get("tasks") or {}
    for task, wanted in sorted(settings.use_cases.items()):
        if wanted.min_cases is not None:
            cases = (report.get("cases_by_task") or {}).get(task)
            said = f"{task}: {{m:.0f}} test cases, at least {{r:.0f}} needed"
            yield _reason(f"cases:{task}", cases, wanted.min_cases, said)
        if wanted.min_gain_over_base is not None:
            said = f"{task}: lower end of the gain over the base model {{m:+.4f}}, must exceed {{r:+.4f}}"
            low = _low_of(report, "base", task)
            yield _reason(f"gain-over-base:{task}", low, wanted.min_gain_over_base, said, operator.gt)
        if wanted.max_loss_to_champion is not None and champion is not None:
            said = f"{task}: lower end of the difference to the champion {{m:+.4f}}, may not fall below {{r:+.4f}}"
            low = _low_of(report, "champion", task)
            yield _reason(f"loss-to-champion:{task}", low, -wanted.max_loss_to_champion, said)
        metrics = (scored.get(task) or {}).get("metrics") or {}
        measured = {name: found.get("mean") for name, found in metrics.items()}
        for reason in _limits(wanted.limits, measured.get):
            yield GateReason(
                f"{reason.rule}:{task}",
                reason.passed,
                reason.measured,
                reason.required,
                f"{task}: {reason.text}",
            )


def _limits(limits: Mapping[str, Limit | None], measured: Callable[[str], Any]) -> Iterator[GateReason]:
    for name, limit in sorted(limits.items()):
        if limit is None or (not limit.required and measured(name) is None):
            continue
        if limit.max is not None:
            said = f"{name} {{m:.4g}}, at most {{r:.4g}} allowed"
            yield _reason(f"limit:{name}", measured(name), limit.max, said, operator.le)
        if limit.min is not None:
            said = f"{name} {{m:.4g}}, at least {{r:.4g}} needed"
            yield _reason(f"limit:{name}", measured(name), limit.min, said)


def _regression(report: Mapping[str, Any], settings: GateSettings) -> Iterator[GateReason]:
    given = bool((report.get("settings") or {}).get("regression_set"))
    if not given and settings.regression == "if_given":
        return
    failed = _probed(report, "regression.failed")
    named = ", ".join(((report.get("probes") or {}).get("regression") or {}).get("failed", ())[:5])
    said = "{m:.0f} cases of the regression set fail, none may" + (f": {named}" if named else "")
    yield _reason("regression", failed, 0, said.replace("{r}", ""), operator.le)


def _comparison(report: Mapping[str, Any], arm: str) -> Mapping[str, Any]:
    return (report.get("comparisons") or {}).get(f"finetuned_vs_{arm}") or {}


def _low_of(report: Mapping[str, Any], arm: str, task: str) -> Any:
    return ((_comparison(report, arm).get("per_task_intervals") or {}).get(task) or [None])[0]


def _probed(report: Mapping[str, Any], name: str) -> Any:
    probe, _, number = name.partition(".")
    return (((report.get("probes") or {}).get(probe) or {}).get("gate") or {}).get(number)


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
