"""The part of `preceptor evaluate` that is about public benchmarks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from preceptor.cli._common import columns, emit
from preceptor.settings import EvaluationSettings, Workspace

if TYPE_CHECKING:
    from preceptor.evaluation.arms import ArmModel

LIST = "list"


def with_benchmarks(
    given: EvaluationSettings, names: tuple[str, ...], data: Path | None, cases: int | None
) -> EvaluationSettings:
    """The settings with what the command line says. Raises `UsageError` for a benchmark that there is not."""
    from preceptor.evaluation.benchmarks.catalogue import chosen

    update: dict[str, Any] = {"benchmarks": tuple(chosen(names)) if names else given.benchmarks}
    if data is not None:
        update["benchmark_data"] = str(data.resolve())
    if cases is not None:
        update["benchmark_cases"] = cases
    return given.model_copy(update=update)


def list_benchmarks(as_json: bool) -> None:
    """Print which benchmarks there are."""
    from preceptor.evaluation.benchmarks.catalogue import load_benchmarks

    known = load_benchmarks()
    rows = [(name, b.cases, b.hub.path if b.hub else b.where, b.title) for name, b in known.items()]
    emit(
        {name: b.model_dump(mode="json") for name, b in known.items()},
        as_json,
        lambda: columns(rows, ("name", "cases", "data", "what it is")),
    )


def run_alone(
    ours: Workspace, settings: EvaluationSettings, models: Mapping[str, ArmModel], stage: str, as_json: bool
) -> None:
    """Run the benchmarks without cases, as a version of `stage`, and print the result."""
    from preceptor.evaluation import VERSION
    from preceptor.evaluation.benchmarks.page import run_benchmarks
    from preceptor.evaluation.inputs import files_read
    from preceptor.progress import reporter
    from preceptor.versions import make_version

    version = make_version(
        ours.reports,
        stage,
        inputs={**files_read(settings), **{role: model.digest for role, model in models.items()}},
        config=settings.model_dump(mode="json", exclude={"benchmark_data"}),
        code=VERSION,
        write=lambda folder: run_benchmarks(
            models, settings, ours.reports / ".answers", folder, reporter("benchmarks")
        ),
    )
    report = version.path / "report.html"
    emit(
        {**version.facts, "report": str(report), "version": version.name},
        as_json,
        lambda: f"{table(version.facts['benchmarks'])}\n\nReport: {report}",
    )


def table(benchmarks: Mapping[str, Any]) -> str:
    """Lay scores out for a terminal, in points of 100."""
    rows = [
        (
            name,
            role,
            b["cases"],
            f"{100 * a['mean']:.1f}",
            f"{100 * a['low']:.1f} to {100 * a['high']:.1f}",
            _ece(a),
        )
        for name, b in benchmarks.items()
        for role, a in b["arms"].items()
    ]
    return columns(rows, ("benchmark", "arm", "cases", "score", "95 % interval", "ECE"))


def _ece(arm: Mapping[str, Any]) -> str:
    return f"{arm['ece']:.3f}" if "ece" in arm else "–"
