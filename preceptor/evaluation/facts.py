"""From scored predictions to the facts of a report: means with intervals, paired differences, counts, speed."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from preceptor.evaluation.arms import ARMS
from preceptor.evaluation.effects import effect_size, planning
from preceptor.evaluation.metrics import primary
from preceptor.evaluation.remote import Remote
from preceptor.evaluation.statistics import Estimate, holm, macro_mean, paired_difference
from preceptor.records import Example
from preceptor.settings import EvaluationSettings


@dataclass(frozen=True, slots=True)
class Prediction:
    """One arm's answer to one case, and its scores (None: does not apply)."""

    case: Example
    arm: str
    answer: str
    prompt_tokens: int
    new_tokens: int
    finished: bool
    prompt_cut: bool
    context_cut: bool
    seconds: float
    scores: Mapping[str, float | None]
    shown: tuple[
        str, ...
    ] = ()  # ids of the examples, earlier cases and passages that the model saw, in order
    cited: tuple[str, ...] = ()  # those that the answer names by number

    @property
    def primary(self) -> float:
        """The score that stands for this case's task."""
        return float(self.scores[primary(self.case.task)] or 0.0)

    @property
    def patient(self) -> str:
        """The case's patient; a case without one counts as a patient of its own."""
        return self.case.person


def arm_facts(
    predictions: Sequence[Prediction], settings: EvaluationSettings, remote: Remote | None = None
) -> dict[str, Any]:
    """Return what is known of one arm: `headline` (macro average over tasks), `tasks`, `answers`, `speed`; for a model that
    answers elsewhere also `cost`, in US dollars, None where the price is not known."""
    by_task: dict[str, list[Prediction]] = {}
    for prediction in predictions:
        by_task.setdefault(prediction.case.task, []).append(prediction)
    seconds = sum(p.seconds for p in predictions)
    tokens, read = sum(p.new_tokens for p in predictions), sum(p.prompt_tokens for p in predictions)
    return {
        "label": ARMS[predictions[0].arm][1],
        "model": ARMS[predictions[0].arm][0],
        "headline": _interval(_estimate(predictions, settings)),
        "tasks": {task: _task_facts(task, rows, settings) for task, rows in sorted(by_task.items())},
        "answers": {
            "cut_at_limit": sum(not p.finished for p in predictions),
            "empty": sum(not p.answer for p in predictions),
            "prompts_cut": sum(p.prompt_cut for p in predictions),
            "contexts_cut": sum(p.context_cut for p in predictions),
        },
        "speed": {
            "seconds": round(seconds, 2),
            "new_tokens": tokens,
            "prompt_tokens": read,
            "tokens_per_second": round(tokens / seconds, 1) if seconds else None,
            "median_seconds": round(statistics.median(p.seconds for p in predictions), 3),
            "p95_seconds": round(_quantile([p.seconds for p in predictions], 0.95), 3),
        },
        **({"cost": remote.cost(read, tokens)} if remote else {}),
    }


def _quantile(values: Sequence[float], share: float) -> float:
    """The least value that this share of the values does not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def _task_facts(task: str, rows: Sequence[Prediction], settings: EvaluationSettings) -> dict[str, Any]:
    measures = {}
    for name in rows[0].scores:
        values = [value for row in rows if (value := row.scores[name]) is not None]
        measures[name] = {"mean": sum(values) / len(values) if values else None, "cases": len(values)}
    return {"primary": primary(task), **_interval(_estimate(rows, settings)), "metrics": measures}


def _estimate(rows: Sequence[Prediction], settings: EvaluationSettings) -> Estimate:
    return macro_mean(
        [row.primary for row in rows],
        [row.case.task for row in rows],
        [row.patient for row in rows],
        samples=settings.bootstrap_samples,
        seed=settings.seed,
    )


def _interval(estimate: Estimate) -> dict[str, Any]:
    return {
        "mean": estimate.mean,
        "low": estimate.low,
        "high": estimate.high,
        "cases": estimate.cases,
        "patients": estimate.patients,
    }


def comparisons(
    by_arm: Mapping[str, Sequence[Prediction]], settings: EvaluationSettings
) -> dict[str, dict[str, Any]]:
    """Return every paired difference, by a name such as `finetuned_vs_base`; positive: the first is better.

    Each arm's predictions must be of the same cases in the same order. There are two families, each corrected
    for its number (Holm): `candidate`, the fine-tuned model against all others, and `alternatives`, what does
    without or adds to fine-tuning against the base model. `p_holm` below 0.05 is what the report calls shown.
    """
    families = {
        "candidate": [("finetuned", arm) for arm in by_arm if arm != "finetuned"]
        if "finetuned" in by_arm
        else [],
        "alternatives": [(arm, "base") for arm in by_arm if arm not in ("base", "finetuned")]
        if "base" in by_arm
        else [],
    }
    result: dict[str, dict[str, Any]] = {}
    for family, pairs in families.items():
        found = {f"{a}_vs_{b}": _difference(by_arm[a], by_arm[b], settings, len(pairs)) for a, b in pairs}
        adjusted = holm({name: facts["p"] for name, facts in found.items()})
        for name, facts in found.items():
            result[name] = {**facts, "p_holm": adjusted[name], "family": family}
    return result


def _difference(
    ours: Sequence[Prediction], theirs: Sequence[Prediction], settings: EvaluationSettings, comparisons: int
) -> dict[str, Any]:
    def between(task: str | None) -> Estimate:
        pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if task in (None, a.case.task)]
        return paired_difference(
            [a.primary for a, _ in pairs],
            [b.primary for _, b in pairs],
            [a.case.task for a, _ in pairs],
            [a.patient for a, _ in pairs],
            samples=settings.bootstrap_samples,
            seed=settings.seed,
        )

    tasks = sorted({row.case.task for row in ours})
    per_task = {task: between(task) for task in tasks}
    whole = between(None)
    drawn = [a.primary - b.primary for a, b in zip(ours, theirs, strict=True)]
    where = ([a.case.task for a in ours], [a.patient for a in ours])
    return {
        "arm": ours[0].arm,
        "against": theirs[0].arm,
        "difference": whole.mean,
        "low": whole.low,
        "high": whole.high,
        "p": whole.p,
        "cases": whole.cases,
        "patients": whole.patients,
        "effect": effect_size(drawn, *where, samples=settings.bootstrap_samples, seed=settings.seed),
        "planning": planning(drawn, *where, relevant=settings.relevant_difference, comparisons=comparisons),
        "per_task": {task: estimate.mean for task, estimate in per_task.items()},
        "per_task_intervals": {task: [estimate.low, estimate.high] for task, estimate in per_task.items()},
    }


def case_facts(cases: Sequence[Example]) -> dict[str, Any]:
    """Return how many cases and patients there are, and of which kinds."""
    return {
        "n_cases": len(cases),
        "n_patients": len({case.person for case in cases}),
        "cases_by_task": dict(sorted(Counter(case.task for case in cases).items())),
        "cases_by_specialty": dict(sorted(Counter(case.specialty for case in cases).items())),
        "cases_by_provenance": dict(sorted(Counter(case.provenance for case in cases).items())),
    }
