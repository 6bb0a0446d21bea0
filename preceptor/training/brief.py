"""Brief trainings that measure data, not models: the recipe with a small adapter, its validation loss all that is wanted."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from preceptor.errors import PreceptorError
from preceptor.models import ResolvedModel
from preceptor.settings import SufficiencySettings, TrainingSettings, Workspace
from preceptor.training.jobs import command, environment, plan_job
from preceptor.training.recipe import Recipe
from preceptor.versions import DatasetVersion


def brief(recipe: Recipe, settings: SufficiencySettings) -> Recipe:
    """The recipe with a LoRA adapter of rank 4 and as many passes or steps as the settings give such trainings."""
    said = recipe.model_dump()
    method = {**said["method"], "name": "lora", "rank": 4, "alpha": 8}
    changes = {
        "method": method,
        "epochs": settings.passes,
        "max_steps": settings.max_steps,
        "max_minutes": 0,
        "checkpoint_steps": 1000,
        # One process, the answers, every row once, the loss at the end: what is measured is the rows.
        "objective": "answers",
        "zero_stage": 0,
        "sampling": {},
        "canaries": {},
        "stopping": {"keep": "last"},
    }
    return Recipe(**{**said, **changes})


def trained(
    workspace: Workspace,
    base: ResolvedModel,
    trainings: Sequence[tuple[Sequence[DatasetVersion], Recipe]],
    tracking_uri: str,
    experiment_id: str,
) -> list[dict[str, Any]]:
    """Train each, all in one process of their own, and return their results (`validation_loss` is None without a
    validation split).

    What was trained is not trained again. Raises `PreceptorError` if a training fails.
    """
    one = TrainingSettings(processes=1)
    jobs = [
        plan_job(workspace, base, list(datasets), recipe, one, tracking_uri, experiment_id)
        for datasets, recipe in trainings
    ]
    results = [Path(job.folder) / "result.json" for job in jobs]
    if waiting := [job for job, result in zip(jobs, results, strict=True) if not result.exists()]:
        first, *others = waiting
        done = subprocess.run(
            command(first, "local", others),
            env={**os.environ, **environment(first)},
            stdout=subprocess.DEVNULL,
            check=False,
        )
        lacking = [job.digest for job, result in zip(jobs, results, strict=True) if not result.exists()]
        if done.returncode or lacking:
            raise PreceptorError(
                f"A brief training failed ({', '.join(lacking)}); its lines above say why. The same command goes on."
            )
    return [json.loads(result.read_text()) for result in results]
