"""The probe `robustness`: the same cases with their documents written otherwise, each model against itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from preceptor.evaluation.arms import BARE, may_be_asked_anew
from preceptor.evaluation.facts import Prediction
from preceptor.evaluation.metrics import primary, score
from preceptor.evaluation.prompting import Question
from preceptor.evaluation.proportions import proportion
from preceptor.evaluation.robustness.changes import CHANGES, changed_prompt
from preceptor.evaluation.sampling import drawn
from preceptor.evaluation.statistics import Estimate, holm, paired_difference
from preceptor.evaluation.substance import Agreement, agreement
from preceptor.settings import EvaluationSettings

if TYPE_CHECKING:
    from preceptor.evaluation.probes import Material

MIN_PATIENTS = 10  # with fewer, no change could be shown among six, and a rule would hold unseen
LISTED = 10  # answers with the largest drops


@dataclass(frozen=True, slots=True)
class Pair:
    """A case's answer, and that to the changed document, whose score is by the same reference."""

    plain: Prediction
    change: str
    score: float
    agreement: Agreement | None

    @property
    def drop(self) -> float:
        """By how much the change lowers the score."""
        return self.plain.primary - self.score


def robustness(material: Material) -> dict[str, Any] | None:
    """Return, for each model, the drop of the score under each change with its interval, and how often the answer's substance changes.

    None where `evaluation.robustness.cases` is 0 or no case's document can be told from its instruction. Drops are paired by
    case, means over use cases, intervals by patient, corrected over the changes (Holm). `gate.worst_drop` is the low end of the
    interval of the largest drop that is shown, and 0 where none is; it is absent below MIN_PATIENTS patients.
    """
    settings = material.settings
    roles = [r for r in BARE if r in material.by_arm and may_be_asked_anew(material.models, r)]
    cases = drawn(
        (c for c in material.cases if c.source), settings.robustness.cases, f"{settings.seed} robustness"
    )
    if not roles or not cases:
        return None
    asked = [
        (case.example_id, change, prompt)
        for case in cases
        for change in CHANGES
        if (prompt := changed_prompt(case, change, settings.seed)) is not None
    ]
    pairs = {role: _pairs(material, role, asked) for role in roles}
    facts: dict[str, Any] = {
        "cases": len(cases),
        "models": {role: _model(found, settings) for role, found in pairs.items()},
        "gate": {},
    }
    if "finetuned" in pairs:
        facts["worst"] = _worst(pairs["finetuned"])
        facts["gate"] = _gate(facts["models"]["finetuned"])
    return facts


def _pairs(material: Material, role: str, asked: Sequence[tuple[str, str, str]]) -> list[Pair]:
    known = {p.case.example_id: p for p in material.by_arm[role]}
    answers = material.ask(role, [Question(prompt) for _, _, prompt in asked])
    found = []
    for (example_id, change, _), answer in zip(asked, answers, strict=True):
        plain = known[example_id]
        case = plain.case
        got = score(case.task, case.prompt, case.answer, answer)[primary(case.task)]
        found.append(Pair(plain, change, float(got or 0.0), agreement(case.task, plain.answer, answer)))
    return found


def _model(pairs: Sequence[Pair], settings: EvaluationSettings) -> dict[str, Any]:
    groups = {change: [p for p in pairs if p.change == change] for change in CHANGES}
    groups = {change: of for change, of in groups.items() if of}
    drops = {change: _drop(of, settings) for change, of in groups.items()}
    adjusted = holm({change: drop.p for change, drop in drops.items() if drop.patients >= MIN_PATIENTS})
    return {
        "changes": {
            change: {**_facts(of, drops[change]), **_test(drops[change], adjusted.get(change))}
            for change, of in groups.items()
        },
        "all": _together(pairs, settings),
    }


def _together(pairs: Sequence[Pair], settings: EvaluationSettings) -> dict[str, Any]:
    """All changes as one; the share of changed answers has no interval, since several are of one case."""
    facts = _facts(pairs, _drop(pairs, settings))
    return {**facts, "changed": {key: facts["changed"][key] for key in ("hits", "trials", "share")}}


def _drop(pairs: Sequence[Pair], settings: EvaluationSettings) -> Estimate:
    return paired_difference(
        [p.plain.primary for p in pairs],
        [p.score for p in pairs],
        [p.plain.case.task for p in pairs],
        [p.plain.patient for p in pairs],
        samples=settings.bootstrap_samples,
        seed=settings.seed,
    )


def _facts(pairs: Sequence[Pair], drop: Estimate) -> dict[str, Any]:
    compared = [p.agreement for p in pairs if p.agreement is not None]
    return {
        "answers": len(pairs),
        "patients": drop.patients,
        "drop": drop.mean,
        "low": drop.low,
        "high": drop.high,
        "agreement": sum(a.share for a in compared) / len(compared) if compared else None,
        "changed": proportion(sum(a.changed for a in compared), len(compared)),
    }


def _test(drop: Estimate, p: float | None) -> dict[str, Any]:
    """`falls`: the drop is shown, all changes taken together; None with too few patients to test it."""
    return {"p_holm": p, "falls": None if p is None else bool(p < 0.05 and drop.mean > 0)}


def _worst(pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    falling = sorted(
        (p for p in pairs if p.drop > 0), key=lambda p: (-p.drop, p.plain.case.example_id, p.change)
    )
    return [
        {"case": p.plain.case.example_id, "change": p.change, "drop": p.drop, "substance": _said(p.agreement)}
        for p in falling[:LISTED]
    ]


def _said(found: Agreement | None) -> str:
    return "nothing to compare" if found is None else "changed" if found.changed else "kept"


def _gate(facts: Mapping[str, Any]) -> dict[str, float]:
    tested = [c for c in facts["changes"].values() if c["falls"] is not None]
    if not tested:
        return {}
    largest = max((c for c in tested if c["falls"]), key=lambda c: c["drop"], default=None)
    return {"worst_drop": largest["low"] if largest else 0.0}
