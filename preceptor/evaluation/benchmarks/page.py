"""Benchmarks without cases of one's own: the probe by itself, with a report of its own."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from preceptor.errors import UsageError
from preceptor.evaluation import VERSION
from preceptor.evaluation.answer_cache import AnswerCache
from preceptor.evaluation.arms import ArmModel
from preceptor.evaluation.benchmarks.probe import ROLES, probe
from preceptor.evaluation.generation import GenerationSettings, answer_all
from preceptor.evaluation.loading import choose_dtype
from preceptor.evaluation.probes import Material
from preceptor.evaluation.prompting import Question
from preceptor.evaluation.report import template
from preceptor.progress import Progress, silent
from preceptor.settings import EvaluationSettings
from preceptor.versions import write_atomic


def run_benchmarks(
    models: Mapping[str, ArmModel],
    settings: EvaluationSettings,
    cache: Path,
    out: Path,
    on_progress: Progress = silent,
) -> dict[str, Any]:
    """Run the benchmarks of the settings on `models` (`base`, `finetuned`, `champion`, as far as there are any), write
    report.json and report.html (both green: no text of a case) into `out`, and return the facts.

    Raises `UsageError` if no named arm is a model by itself or data are wrong, `PreceptorError` if they cannot be had.
    """
    used = {role: models[role] for role in ROLES if role in models and role in settings.arms}
    if not used:
        raise UsageError(
            f"Benchmarks are for the arms {', '.join(ROLES)}; of those named there is none, or none has a model."
        )
    started = time.monotonic()
    dtype = choose_dtype(cache / "number-format.json")
    answers = AnswerCache(cache)

    def ask(role: str, asked: Sequence[Question]) -> list[str]:
        generation = GenerationSettings.of(settings, dtype)
        return [a.text for a in answer_all(used[role], asked, generation, answers, on_progress).answers]

    facts = probe(Material([], [], {}, used, settings, dtype, ask, on_progress, cache=cache))
    if facts is None:
        raise UsageError("No benchmark is named: name some by --benchmark, or in evaluation.benchmarks.")
    report = {
        "evaluation": VERSION,
        "settings": settings.model_dump(mode="json"),
        "number_format": dtype,
        "models": {
            role: {"name": model.name, "digest": model.digest, "adapter": model.adapter is not None}
            for role, model in used.items()
        },
        "probes": {"benchmarks": facts},
        "wall_seconds": round(time.monotonic() - started, 1),
    }
    write_atomic(out / "report.json", json.dumps(report, indent=1, ensure_ascii=False))
    write_atomic(out / "report.html", template("benchmarks.html.j2").render(report=report))
    return {"evaluation": VERSION, "benchmarks": facts["benchmarks"], "wall_seconds": report["wall_seconds"]}
