"""The files that an evaluation reads beside its cases and models: another content is another evaluation."""

from __future__ import annotations

from preceptor.evaluation.references import SUFFIXES
from preceptor.evaluation.regression import set_digest
from preceptor.settings import EvaluationSettings, resolve_path
from preceptor.versions import digest, file_sha256


def files_read(settings: EvaluationSettings) -> dict[str, str]:
    """What stands for the content of each kind of file that these settings have read; kinds of which none is are left out.

    Raises `UsageError` for a regression set or benchmark data that are not there.
    """
    found = {"prompts": _prompts(settings), "references": _references(settings), **_benchmarks(settings)}
    if settings.regression_set:
        found["regression"] = set_digest(settings.regression_set)
    return {kind: content for kind, content in found.items() if content}


def _prompts(settings: EvaluationSettings) -> str:
    paths = []
    if settings.safety.cases:
        paths += sorted(resolve_path(settings.safety.prompts).glob("*.yaml"))
    if settings.counterfactuals.cases:
        paths.append(resolve_path(settings.counterfactuals.pairs))
    found = [file_sha256(path) for path in paths if path.is_file()]
    return digest(found) if found else ""


def _references(settings: EvaluationSettings) -> str:
    if not settings.reference_texts:
        return ""
    folder = resolve_path(settings.reference_texts)
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix.lower() in SUFFIXES)
    return digest([(p.relative_to(folder).as_posix(), file_sha256(p)) for p in files])


def _benchmarks(settings: EvaluationSettings) -> dict[str, str]:
    if not settings.benchmarks:
        return {}
    from preceptor.evaluation.benchmarks.items import content
    from preceptor.evaluation.benchmarks.probe import data_of

    return {f"benchmark {name}": content(items) for name, items in data_of(settings).items()}
