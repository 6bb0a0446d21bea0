"""The section "clinical facts" of a report: what every arm's answers invent, contradict and leave out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from preceptor.evaluation.clinical.compare import CONTRADICTIONS, INVENTED, OVERSTATED, Comparison, compare
from preceptor.evaluation.clinical.extract import KINDS
from preceptor.evaluation.facts import Prediction
from preceptor.evaluation.metrics import primary
from preceptor.evaluation.statistics import Estimate, holm, macro_mean
from preceptor.settings import EvaluationSettings

if TYPE_CHECKING:
    from preceptor.evaluation.probes import Material

LISTED = 20  # cases whose facts the page shows
# name -> how many of it an answer has; fewer is better.
COUNTS: dict[str, Callable[[Comparison], int]] = {
    "hallucinated_per_answer": lambda c: len(c.hallucinated),
    "contradictions_per_answer": lambda c: len(c.contradictions),
    "omitted_per_answer": lambda c: len(c.omitted),
}


@dataclass(frozen=True, slots=True)
class Compared:
    """One answer and its facts."""

    prediction: Prediction
    facts: Comparison


def is_written(task: str) -> bool:
    """Whether a task's answers are text, not codes or a list of diagnoses."""
    return primary(task) == "rouge_l"


def clinical_facts(material: Material) -> dict[str, Any] | None:
    """Return what the answers of written tasks state; None if there is no such task.

    Means are over tasks, each counting the same, with 95 % bootstrap intervals by patient; differences are paired by case and
    corrected for their number within a measure (Holm). `gate` has the fine-tuned arm's numbers. No word of a case is in it.
    """
    compared = {
        arm: [Compared(p, _of(p)) for p in predictions if is_written(p.case.task)]
        for arm, predictions in material.by_arm.items()
    }
    if not any(compared.values()):
        return None
    shown = shown_arm(material.by_arm)
    facts: dict[str, Any] = {
        "arms": {arm: _arm(rows, material.settings) for arm, rows in compared.items()},
        "differences": _differences(compared, material.settings),
        "shown": shown,
        "cases": [
            {"case": row.prediction.case.example_id, **_counts(row.facts)}
            for row in worst_first(compared[shown])
        ][:LISTED],
        "gate": {},
    }
    if "finetuned" in compared:
        facts["gate"] = _gate(facts["arms"]["finetuned"])
    return facts


def _of(prediction: Prediction) -> Comparison:
    return compare(prediction.case.prompt, prediction.case.answer, prediction.answer)


def shown_arm(by_arm: Mapping[str, Any]) -> str:
    """The arm whose facts are listed: the fine-tuned model's, or the last."""
    return "finetuned" if "finetuned" in by_arm else list(by_arm)[-1]


def worst_first(rows: Sequence[Compared]) -> list[Compared]:
    """Cases with contradictions before those with inventions before those with omissions."""
    return sorted(
        rows,
        key=lambda r: (
            -len(r.facts.contradictions),
            -len(r.facts.hallucinated),
            -len(r.facts.omitted),
            r.prediction.case.example_id,
        ),
    )


def _counts(compared: Comparison) -> dict[str, int]:
    return {
        "stated": len(compared.judged),
        "hallucinated": len(compared.hallucinated),
        "contradictions": len(compared.contradictions),
        "omitted": len(compared.omitted),
        "wanted": compared.wanted,
    }


def _arm(rows: Sequence[Compared], settings: EvaluationSettings) -> dict[str, Any]:
    totals = sum((Counter(_counts(row.facts)) for row in rows), Counter())
    verdicts = Counter(j.verdict for row in rows for j in row.facts.judged)
    return {
        "answers": len(rows),
        **{key: totals[key] for key in ("stated", "hallucinated", "contradictions", "omitted", "wanted")},
        "hallucination_rate": totals["hallucinated"] / totals["stated"] if totals["stated"] else None,
        "omission_rate": totals["omitted"] / totals["wanted"] if totals["wanted"] else None,
        **{name: _mean(rows, count, settings) for name, count in COUNTS.items()},
        "by_kind": {kind: _kind(rows, kind) for kind in KINDS},
        "by_contradiction": {kind: verdicts[kind] for kind in CONTRADICTIONS},
        "invented": verdicts[INVENTED],
        "overstated": verdicts[OVERSTATED],
        "words_to_reference": _length(rows),
    }


def _kind(rows: Sequence[Compared], kind: str) -> dict[str, int]:
    judged = [j for row in rows for j in row.facts.judged if j.fact.kind == kind]
    unsupported = [j for row in rows for j in row.facts.hallucinated if j.fact.kind == kind]
    return {
        "stated": len(judged),
        "hallucinated": len(unsupported),
        "contradictions": sum(j.contradicts for j in unsupported),
        "omitted": sum(fact.kind == kind for row in rows for fact in row.facts.omitted),
    }


def _length(rows: Sequence[Compared]) -> float | None:
    """Words of the answers for each word of the references."""
    wanted = sum(len(row.prediction.case.answer.split()) for row in rows)
    return sum(len(row.prediction.answer.split()) for row in rows) / wanted if wanted else None


def _estimate(values: Sequence[float], rows: Sequence[Compared], settings: EvaluationSettings) -> Estimate:
    most = max(map(abs, values))  # with one patient nothing more is known of the interval
    return macro_mean(
        values,
        [row.prediction.case.task for row in rows],
        [row.prediction.patient for row in rows],
        samples=settings.bootstrap_samples,
        seed=settings.seed,
        bounds=(-most if min(values) < 0 else 0.0, most),
    )


def _mean(
    rows: Sequence[Compared], count: Callable[[Comparison], int], settings: EvaluationSettings
) -> dict[str, float]:
    estimate = _estimate([float(count(row.facts)) for row in rows], rows, settings)
    return {"mean": estimate.mean, "low": estimate.low, "high": estimate.high}


def _differences(
    compared: Mapping[str, Sequence[Compared]], settings: EvaluationSettings
) -> dict[str, dict[str, Any]]:
    """The fine-tuned arm less each other arm; negative: it invents, contradicts or omits less."""
    ours = compared.get("finetuned", ())
    found: dict[str, dict[str, Any]] = {arm: {} for arm in compared if arm != "finetuned" and ours}
    for name, count in COUNTS.items():
        estimates = {
            arm: _estimate(
                [float(count(a.facts) - count(b.facts)) for a, b in zip(ours, compared[arm], strict=True)],
                ours,
                settings,
            )
            for arm in found
        }
        adjusted = holm({arm: estimate.p for arm, estimate in estimates.items()})
        for arm, e in estimates.items():
            found[arm][name] = {"difference": e.mean, "low": e.low, "high": e.high, "p_holm": adjusted[arm]}
    return found


def _gate(arm: Mapping[str, Any]) -> dict[str, float]:
    """What rules may name. A rate of nothing is 0: an arm that states no fact has invented none, and omitted all."""
    return {
        "hallucination_rate": arm["hallucination_rate"] or 0.0,
        "omission_rate": arm["omission_rate"] or 0.0,
        **{name: arm[name]["mean"] for name in COUNTS},
    }
