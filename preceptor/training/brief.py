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
    }
    return Recipe(**{**said, **changes})


def trained(
    workspace: Workspace,
    base: ResolvedModel,
    datasets: Sequence[DatasetVersion],
    recipe: Recipe,
    tracking_uri: str,
    experiment_id: str,
) -> dict[str, Any]:
    """Train in a process of its own and return its result (`validation_loss` is None without a validation split).

    What was trained is not trained again. Raises `PreceptorError` if the training fails.
    """
    job = plan_job(workspace, base, list(datasets), recipe, TrainingSettings(), tracking_uri, experiment_id)
    result = Path(job.folder) / "result.json"
    if not result.exists():
        done = subprocess.run(
            command(job, "local"),
            env={**os.environ, **environment(job)},
            stdout=subprocess.DEVNULL,
            check=False,
        )
        if done.returncode or not result.exists():
            raise PreceptorError(
                f"The brief training {job.digest} failed; its lines above say why. The same command goes on."
            )
    found: dict[str, Any] = json.loads(result.read_text())
    return found
