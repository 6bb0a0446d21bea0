"""The search as the program and the pipeline start it: files, judged data, the base model, and then the search."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from preceptor.errors import UsageError
from preceptor.models import resolve
from preceptor.settings import Settings, Workspace, resolve_path
from preceptor.training.recipe import laid_on, load_recipe
from preceptor.training.search.run import Search, Searched, run_search
from preceptor.training.search.space import load_space
from preceptor.training.stage import judged_data

EXPERIMENT = "recipe search"  # in MLflow


def search(
    workspace: Workspace,
    settings: Settings,
    tracking_uri: str,
    experiment: Callable[[], str],
    recipe_file: str | None = None,
    space_file: str | None = None,
    trials: int | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Searched:
    """Search on the newest judged data until there are `trials` (None: as the settings, else the space say).

    Raises `UsageError` for a recipe or space that is wrong, naming key, file and line; `GateRefused` for data that
    `judged_data` refuses; `PreceptorError` as `run_search`.
    """
    if settings.training.launcher == "k8s":
        raise UsageError(
            "A search trains on this machine, and training.launcher is k8s (rule search-launcher): set it to auto for the search."
        )
    recipe_path = resolve_path(recipe_file or settings.training.recipe)
    overrides = settings.training.overrides
    recipe = load_recipe(recipe_path, overrides)
    if recipe.objective != "answers":
        raise UsageError(
            f"{recipe_path}: objective: {recipe.objective}: a search compares losses of answers, and takes objective: answers."
        )
    space = load_space(resolve_path(space_file or settings.search.space), recipe)
    if kept := [key for key in space.keys if _sets(overrides, key)]:
        raise UsageError(
            f"training.overrides: {', '.join(kept)}: what the configuration sets cannot vary, for it would be laid on the best "
            "recipe, too."
        )
    planned = Search(
        workspace,
        resolve(settings.base_model, workspace),
        judged_data(workspace, settings),
        recipe,
        space,
        settings.training,
    )
    wanted = trials or settings.search.trials or space.trials
    return run_search(planned, wanted, tracking_uri, experiment, say)


def _sets(overrides: dict[str, Any], key: str) -> bool:
    """Whether the overrides, nested or dotted, set the dotted key."""
    value: Any = laid_on({}, overrides)
    for part in key.split("."):
        if not isinstance(value, dict) or part not in value:
            return False
        value = value[part]
    return True
