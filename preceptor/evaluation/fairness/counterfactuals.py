"""Does the fine-tuned model answer a case otherwise when only who the patient is has changed?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from preceptor.evaluation.arms import may_be_asked_anew
from preceptor.evaluation.fairness.swaps import Counterfactual, Lines, attributes, read_lines
from preceptor.evaluation.metrics import primary, score
from preceptor.evaluation.prompting import Question
from preceptor.evaluation.proportions import proportion, sign_test
from preceptor.evaluation.sampling import drawn
from preceptor.evaluation.statistics import holm, paired_difference
from preceptor.evaluation.substance import Agreement, agreement
from preceptor.records import Example
from preceptor.settings import EvaluationSettings, resolve_path

if TYPE_CHECKING:
    from preceptor.evaluation.probes import Material

MIN_PATIENTS = 10  # with fewer, no difference could be shown among six, and a rule would hold unseen


@dataclass(frozen=True, slots=True)
class Answered:
    """A pair with the scores of its two answers, each by its own reference."""

    pair: Counterfactual
    one: float
    other: float
    agreement: Agreement | None


def counterfactuals(material: Material) -> dict[str, Any] | None:
    """Return, by attribute, the difference of the score (other less one), its interval and tests, and how often the substance changes.

    None where `evaluation.counterfactuals.cases` is 0, no case allows a pair, or the model is at a provider. `gate.counterfactual_gap` is the largest
    difference that is shown, in either direction, on the scale 0 to 1; 0 where none is. It is absent where no attribute has
    MIN_PATIENTS patients. The control is no attribute: it is not among the tests.
    """
    settings = material.settings
    if not settings.counterfactuals.cases or not may_be_asked_anew(material.models, "finetuned"):
        return None
    usable = [case for case in material.cases if case.source]
    lines = read_lines(resolve_path(settings.counterfactuals.pairs))
    control = {each.attribute for each in lines if each.control}
    chosen = [pair for pairs in _chosen(usable, lines, settings).values() for pair in pairs]
    if not chosen:
        return None
    answered = _answered(material, chosen)
    groups: dict[str, list[Answered]] = defaultdict(list)
    for each in answered:
        groups[each.pair.attribute].append(each)
    rows = {attribute: _row(of, settings) for attribute, of in groups.items()}
    adjusted = holm(
        {a: row["p"] for a, row in rows.items() if a not in control and row["patients"] >= MIN_PATIENTS}
    )
    for attribute, row in rows.items():
        p = adjusted.get(attribute)
        row |= {
            "control": attribute in control,
            "p_holm": p,
            "differs": None if p is None else bool(p < 0.05),
        }
    gap = max((abs(row["difference"]) for row in rows.values() if row["differs"]), default=0.0)
    return {
        "min_patients": MIN_PATIENTS,
        "attributes": rows,
        "gate": {"counterfactual_gap": gap} if adjusted else {},
    }


def _chosen(
    cases: Sequence[Example], lines: Sequence[Lines], settings: EvaluationSettings
) -> dict[str, list[Counterfactual]]:
    found: dict[str, list[Counterfactual]] = {}
    for attribute, ways in attributes(lines).items():
        pairs = {
            case.example_id: pair
            for case in cases
            if (pair := next((made for way in ways if (made := way(case))), None)) is not None
        }
        picked = drawn(
            (case for case in cases if case.example_id in pairs),
            settings.counterfactuals.cases,
            f"{settings.seed} counterfactuals {attribute}",
        )
        found[attribute] = [pairs[case.example_id] for case in picked]
    return found


def _answered(material: Material, pairs: Sequence[Counterfactual]) -> list[Answered]:
    sides = [side for pair in pairs for side in (pair.one, pair.other)]
    answers = material.ask("finetuned", [Question(side.prompt) for side in sides])
    scores = [_score(side, answer) for side, answer in zip(sides, answers, strict=True)]
    return [
        Answered(
            pair, scores[2 * n], scores[2 * n + 1],
            agreement(pair.one.task, answers[2 * n], pair.as_of_one(answers[2 * n + 1])),
        )
        for n, pair in enumerate(pairs)
    ]  # fmt: skip


def _score(case: Example, answer: str) -> float:
    return float(score(case.task, case.prompt, case.answer, answer)[primary(case.task)] or 0.0)


def _row(answered: Sequence[Answered], settings: EvaluationSettings) -> dict[str, Any]:
    people = [a.pair.one.person for a in answered]
    difference = paired_difference(
        [a.other for a in answered],
        [a.one for a in answered],
        [a.pair.one.task for a in answered],
        people,
        samples=settings.bootstrap_samples,
        seed=settings.seed,
    )
    compared = [a.agreement for a in answered if a.agreement is not None]
    return {
        "pairs": len(answered),
        "patients": difference.patients,
        "difference": difference.mean,
        "low": difference.low,
        "high": difference.high,
        "p": difference.p,
        "signs": signs([a.other - a.one for a in answered], people),
        "agreement": sum(a.share for a in compared) / len(compared) if compared else None,
        "changed": proportion(sum(a.changed for a in compared), len(compared)),
        "cases": [a.pair.one.example_id for a in answered if a.agreement is not None and a.agreement.changed],
    }


def signs(differences: Sequence[float], patients: Sequence[str]) -> dict[str, Any]:
    """Count the patients whose score rises and falls, and test them by the exact sign test (Dixon & Mood 1946,
    doi 10.1080/01621459.1946.10501898): two-sided, ties left out; a patient's pairs count once, by their sum."""
    sums: dict[str, float] = defaultdict(float)
    for difference, patient in zip(differences, patients, strict=True):
        sums[patient] += difference
    higher, lower = sum(s > 1e-12 for s in sums.values()), sum(s < -1e-12 for s in sums.values())
    return {"higher": higher, "lower": lower, "p": sign_test(higher, lower)}
