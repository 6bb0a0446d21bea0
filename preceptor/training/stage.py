"""The training stage of the pipeline: from the workspace's newest data to a model version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from preceptor.consent import require_usable
from preceptor.models import ResolvedModel, resolve
from preceptor.providers.stage import PreparedAtProvider
from preceptor.providers.stage import prepare as prepare_at_provider
from preceptor.quality import require
from preceptor.settings import Settings, Workspace, resolve_path
from preceptor.training import kubernetes
from preceptor.training.jobs import (
    TrainingJob,
    collect,
    command,
    environment,
    finished_version,
    plan_job,
    why_stopped,
)
from preceptor.training.notes import notes_version
from preceptor.training.recipe import Recipe, load_recipe
from preceptor.versions import DatasetVersion, newest

if TYPE_CHECKING:
    from collections.abc import Callable

# Data set stage -> the suite that must have passed its version before anything learns from it.
_INPUTS = {"curated": "curated_examples", "synthetic": "synthetic_examples"}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A training that is ready to run: `command` and `environment` start the worker, `collect` takes its result.

    `finished` is the version if this very training was done before; there is nothing to run then.
    """

    workspace: Workspace
    base: ResolvedModel
    datasets: list[DatasetVersion]
    recipe: Recipe
    job: TrainingJob
    command: list[str]
    environment: dict[str, str]
    finished: DatasetVersion | None

    def collect(self) -> DatasetVersion:
        """The model version. Raises `PreceptorError` if the worker did not come to its end."""
        if self.finished is not None:
            return self.finished
        return collect(self.workspace, self.job, self.base, self.datasets, self.recipe)

    def why_stopped(self) -> str:
        """Why the command failed, in words for a person."""
        return why_stopped(self.job)


def judged_data(workspace: Workspace, settings: Settings) -> list[DatasetVersion]:
    """The newest curated and synthetic examples, to learn from.

    Raises `GateRefused` when they have no passing verdict (that a check passed in some earlier run is not enough), or hold
    a patient who has opted out since.
    """
    datasets = []
    for stage, suite in _INPUTS.items():
        version = newest(workspace.data, stage)
        require(workspace.data, suite, version.name)
        datasets.append(version)
    require_usable(workspace, settings.intake, datasets, "Training")
    return datasets


def prepare(
    workspace: Workspace,
    settings: Settings,
    tracking_uri: str,
    experiment: Callable[[], str],
    recipe_file: str | None = None,
    overrides: dict[str, Any] | None = None,
) -> Prepared | PreparedAtProvider:
    """Resolve the base model, take the newest judged data and plan the job.

    `experiment` gives the id of the MLflow experiment; it is asked only if there is something to train. With
    `training.provider` the job is one for that provider, and the recipe is not used (preceptor/providers/stage.py).
    Raises `UsageError` for a cluster that is not described or cannot have the job (preceptor/training/kubernetes.py),
    `GateRefused` for data that `judged_data` refuses.
    """
    if settings.training.provider:
        return prepare_at_provider(workspace, settings, tracking_uri, experiment)
    in_cluster = settings.training.launcher == "k8s"
    if in_cluster:
        kubernetes.required(settings.training)
    datasets = judged_data(workspace, settings)
    recipe = load_recipe(
        resolve_path(recipe_file or settings.training.recipe), settings.training.overrides | (overrides or {})
    )
    if recipe.objective == "notes":
        datasets.append(notes_version(workspace.data, datasets[0], settings.curation))
    base = resolve(settings.base_model, workspace)
    finished = finished_version(workspace, base, datasets, recipe)
    job = plan_job(
        workspace, base, datasets, recipe, settings.training, tracking_uri, "" if finished else experiment()
    )
    if in_cluster:
        start, variables = kubernetes.launch(workspace, job, settings.training), {}
    else:
        start, variables = (
            command(job, settings.training.launcher, hostfile=settings.training.hostfile),
            environment(job),
        )
    return Prepared(workspace, base, datasets, recipe, job, start, variables, finished)
