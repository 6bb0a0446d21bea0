"""The evaluation stage of the pipeline: the newest model against its alternatives, as a version of the reports."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from preceptor.consent import require_usable
from preceptor.evaluation import VERSION
from preceptor.evaluation.arms import ArmModel
from preceptor.evaluation.evaluate import REPORT_JSON, Decision, evaluate
from preceptor.evaluation.failures import failing_shares
from preceptor.evaluation.fresh import fresh_cases
from preceptor.evaluation.inputs import files_read
from preceptor.evaluation.remote import Remote
from preceptor.models import ResolvedModel
from preceptor.progress import Progress, silent
from preceptor.providers.answers import AnswersOf, endpoint_model
from preceptor.providers.stage import PROVIDER
from preceptor.quality import require
from preceptor.settings import Settings, Workspace
from preceptor.versions import DatasetVersion, digest, latest, load, make_version, newest

STAGE = "evaluation"


class Incumbent(Protocol):
    """The champion as release knows it."""

    @property
    def path(self) -> Path: ...
    @property
    def base(self) -> ResolvedModel: ...
    @property
    def info(self) -> Any: ...


def evaluate_newest(
    workspace: Workspace,
    settings: Settings,
    base: ResolvedModel,
    champion: Incumbent | None,
    on_progress: Progress = silent,
    gate: Callable[[Mapping[str, Any]], Decision] | None = None,
    policy: str = "none",
) -> DatasetVersion:
    """Evaluate the newest model on the test split of the data it was made from; the same inputs are one evaluation.

    `gate` decides on the facts of the report, by the policy of digest `policy`; the decision is shown in it.
    Raises `GateRefused` when those data have no passing verdict, hold a patient who has opted out since, or may not be sent
    to the provider that a model is with.
    """
    model = newest(workspace.models, "model")
    curated = load(workspace.data, "curated", model.manifest["inputs"]["curated"])
    require(workspace.data, "curated_examples", curated.name)
    require_usable(workspace, settings.intake, [curated], "Evaluation")
    answers = AnswersOf(workspace, settings, curated.name)
    models = {
        "base": ArmModel(base.name, base.path, None, base.digest),
        "finetuned": tuned(f"fine-tuned {model.name}", model.path, base, model.name, answers),
    }
    if champion is not None:
        models["champion"] = tuned(
            f"champion {champion.info.ref}", champion.path, champion.base, champion.info.digest, answers
        )

    if settings.evaluation.endpoint:
        models["endpoint"] = endpoint_model(workspace, settings, base, curated)
    champions = champion.info.data.get("curated") if champion is not None else None
    files = files_read(settings.evaluation)

    def write(folder: Path) -> dict[str, Any]:
        facts = evaluate(
            curated.path,
            models,
            settings.evaluation,
            workspace.reports / ".answers",
            folder,
            on_progress,
            gate=gate,
            fresh=fresh_cases(workspace.data, curated, champions, settings.evaluation.fresh_cases),
        )
        compared = {
            name.removeprefix("finetuned_vs_"): {k: found[k] for k in ("difference", "low", "high")}
            for name, found in facts["comparisons"].items()
            if name.startswith("finetuned_vs_")
        }
        return {**facts, "compared": compared}

    return make_version(
        workspace.reports,
        STAGE,
        inputs={
            "curated": curated.name,
            "model": model.name,
            "base": base.digest,
            "champion": champion.info.ref if champion else "none",
            **({"endpoint": models["endpoint"].digest} if "endpoint" in models else {}),
            "policy": policy,
            **files,
        },
        config=settings.evaluation.model_dump(mode="json"),
        code=VERSION,
        write=write,
    )


@dataclass(frozen=True, slots=True)
class Weaknesses:
    """Of the fine-tuned model by one evaluation: `scores` by use case, and `failing`, the share of answers with a fault by
    `use case/specialty`."""

    scores: dict[str, float] = field(default_factory=dict)
    failing: dict[str, float] = field(default_factory=dict)


def last_weaknesses(workspace: Workspace) -> Weaknesses:
    """Those that the newest evaluation found; none before the first, and of an evaluation without a fine-tuned model."""
    found = latest(workspace.reports, STAGE)
    report = json.loads((found.path / REPORT_JSON).read_text(encoding="utf-8")) if found else {}
    if "finetuned" not in report.get("arms", {}):
        return Weaknesses()
    tasks, faults = report["arms"]["finetuned"]["tasks"], report["probes"].get("failures")
    return Weaknesses(
        {task: round(scored["mean"], 4) for task, scored in tasks.items()},
        failing_shares(faults) if faults else {},
    )


def tuned(
    name: str, path: Path, base: ResolvedModel, version: str, answers: Callable[[Path], Remote]
) -> ArmModel:
    """An arm's model from a folder with an adapter on `base`, with full weights, or with the name of a model at a provider,
    of which `answers` gets the answers; `base` then measures what it is asked."""
    if (path / PROVIDER).exists():
        return ArmModel(name, base.path, None, digest([base.digest, version]), answers(path))
    if (path / "adapter_config.json").exists():
        return ArmModel(name, base.path, path, digest([base.digest, version]))
    return ArmModel(name, path, None, digest([version]))
