"""The probe `benchmarks`: every model on the benchmarks that the settings name, with intervals and comparisons."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from preceptor.evaluation.arms import ARMS, may_be_asked_anew
from preceptor.evaluation.benchmarks.catalogue import Benchmark, chosen, citation
from preceptor.evaluation.benchmarks.data import load_items
from preceptor.evaluation.benchmarks.items import Item, content
from preceptor.evaluation.benchmarks.likelihood import Ranked, rank_all
from preceptor.evaluation.calibration import calibration, probabilities
from preceptor.evaluation.mcnemar import mcnemar
from preceptor.evaluation.overlap import rouge
from preceptor.evaluation.prompting import Question
from preceptor.evaluation.statistics import Estimate, holm, macro_mean, paired_difference
from preceptor.settings import EvaluationSettings, resolve_path

if TYPE_CHECKING:
    from preceptor.evaluation.probes import Material

ROLES = ("base", "finetuned", "champion")  # arms that are a model by itself; the others are ways of asking
PRIMARY = {"choice": "acc", "note": "rouge_l"}


def probe(material: Material) -> dict[str, Any] | None:
    """Return the facts of every benchmark of `evaluation.benchmarks`; None if it names none.

    Raises `UsageError` or `PreceptorError` if a benchmark's data cannot be had, before any model is loaded.
    """
    settings = material.settings
    benchmarks = chosen(settings.benchmarks)
    if not benchmarks:
        return None
    data = data_of(settings)
    roles = [role for role in ROLES if role in settings.arms and role in material.models]
    facts = {name: _facts(benchmark, data[name], roles, material) for name, benchmark in benchmarks.items()}
    _correct([c for one in facts.values() for c in one["comparisons"].values()])
    gate = {
        f"{name} {role} {one['measure']}": arm["mean"]
        for name, one in facts.items()
        for role, arm in one["arms"].items()
    }
    return {"benchmarks": facts, "gate": gate}


def data_of(settings: EvaluationSettings) -> dict[str, list[Item]]:
    """Return the cases of every benchmark of the settings. Raises as `data.load_items` does."""
    folder = resolve_path(settings.benchmark_data) if settings.benchmark_data else None
    return {
        name: load_items(name, benchmark, folder, settings.benchmark_cases)
        for name, benchmark in chosen(settings.benchmarks).items()
    }


def _facts(
    benchmark: Benchmark,
    items: Sequence[Item],
    roles: Sequence[str],
    material: Material,
) -> dict[str, Any]:
    arms: dict[str, Any] = {}
    scores: dict[str, list[float]] = {}
    skipped = []
    for role in roles:
        model = material.models[role]
        if not may_be_asked_anew(material.models, role):
            skipped.append(
                {"arm": role, "why": "its answers come from a provider, which is sent approved cases only"}
            )
            continue
        started = time.monotonic()
        if benchmark.form == "choice":
            ranked = rank_all(
                model,
                [item.prompt for item in items],
                benchmark.choices,
                dtype=material.dtype,
                kept=material.likelihoods,
                on_progress=material.on_progress,
            )
            arm, scores[role] = choice_facts(items, benchmark.choices, ranked)
        else:
            answers = material.ask(role, [Question(item.prompt) for item in items])
            arm, scores[role] = _note_facts(items, answers)
        estimate = _estimate(scores[role], items, material.settings)
        arms[role] = {
            "label": ARMS[role][1],
            **_interval(estimate),
            **arm,
            "seconds": round(time.monotonic() - started, 1),
        }
    pairs = [(a, b) for a, b in (("finetuned", "base"), ("finetuned", "champion")) if a in arms and b in arms]
    return {
        "title": benchmark.title,
        "form": benchmark.form,
        "measure": PRIMARY[benchmark.form],
        "cases": len(items),
        "official_cases": benchmark.cases,
        "unsplit": benchmark.unsplit,
        "harness": benchmark.harness,
        "data": content(items)[:16],
        "arms": arms,
        "comparisons": {
            f"{a}_vs_{b}": _compared(benchmark, a, b, scores, items, material.settings) for a, b in pairs
        },
        "published": [
            {"what": p.what, "value": p.value, "source": citation(p.source)} for p in benchmark.published
        ],
        "skipped": skipped,
    }


def choice_facts(
    items: Sequence[Item], choices: Sequence[str], ranked: Sequence[Ranked]
) -> tuple[dict[str, Any], list[float]]:
    """Return the facts of one model on a multiple-choice benchmark, and for each case whether it was right (1 or 0).

    `acc` and `acc_norm` are what lm-evaluation-harness calls so: the most likely choice is right, and the most likely one per
    character.
    """
    right = [float(r.best() == item.gold) for item, r in zip(items, ranked, strict=True)]
    normalised = [
        float(r.best_normalised(choices) == item.gold) for item, r in zip(items, ranked, strict=True)
    ]
    found = calibration([probabilities(r.logprobs) for r in ranked], [item.gold for item in items])
    picked = [r.best() for r in ranked]
    return {
        "acc": sum(right) / len(right),
        "acc_norm": sum(normalised) / len(normalised),
        "ece": found.ece,
        "brier": found.brier,
        "bins": [asdict(one) for one in found.bins],
        "answers": {choice: picked.count(place) for place, choice in enumerate(choices)},
        "right": {choice: [i.gold for i in items].count(place) for place, choice in enumerate(choices)},
        "cut": sum(r.cut for r in ranked),
    }, right


def _note_facts(items: Sequence[Item], answers: Sequence[str]) -> tuple[dict[str, Any], list[float]]:
    rows = [rouge(item.reference, answer) for item, answer in zip(items, answers, strict=True)]
    means = {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}
    return means, [row["rouge_l"] for row in rows]


def _compared(
    benchmark: Benchmark,
    ours: str,
    theirs: str,
    scores: Mapping[str, Sequence[float]],
    items: Sequence[Item],
    settings: EvaluationSettings,
) -> dict[str, Any]:
    found = paired_difference(
        scores[ours], scores[theirs], *_groups(items), samples=settings.bootstrap_samples, seed=settings.seed
    )
    facts = {"arm": ours, "against": theirs, "difference": found.mean, "low": found.low, "high": found.high}
    if benchmark.form == "note":
        return {**facts, "test": "bootstrap", "p": found.p}
    exact = mcnemar([s > 0 for s in scores[ours]], [s > 0 for s in scores[theirs]])
    return {**facts, "test": "McNemar", "p": exact.p, "gained": exact.gained, "lost": exact.lost}


def _correct(comparisons: Sequence[dict[str, Any]]) -> None:
    """Put the p-values corrected for the number of comparisons (Holm) beside them: one family, all benchmarks."""
    adjusted = holm({str(place): c["p"] for place, c in enumerate(comparisons)})
    for place, comparison in enumerate(comparisons):
        comparison["p_holm"] = adjusted[str(place)]


def _estimate(scores: Sequence[float], items: Sequence[Item], settings: EvaluationSettings) -> Estimate:
    return macro_mean(scores, *_groups(items), samples=settings.bootstrap_samples, seed=settings.seed)


def _groups(items: Sequence[Item]) -> tuple[list[str], list[str]]:
    """One task, and every case by itself: benchmarks do not tell which cases belong together."""
    return ["benchmark"] * len(items), [str(place) for place in range(len(items))]


def _interval(estimate: Estimate) -> dict[str, float]:
    return {"mean": estimate.mean, "low": estimate.low, "high": estimate.high}
