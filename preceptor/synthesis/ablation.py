"""Do the synthetic rows help? The recipe trained briefly with and without them, at the same number of steps."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

from preceptor.errors import PreceptorError
from preceptor.models import resolve
from preceptor.progress import Progress, silent
from preceptor.quality import require
from preceptor.settings import Settings, Workspace, resolve_path
from preceptor.synthesis.stage import STAGE as SYNTHETIC
from preceptor.training.brief import brief, trained
from preceptor.training.recipe import load_recipe
from preceptor.versions import DatasetVersion, load, make_version, newest

STAGE = "ablation"


def ablate(
    workspace: Workspace,
    settings: Settings,
    tracking_uri: str,
    experiment: Callable[[], str],
    seeds: int = 2,
    on_progress: Progress = silent,
) -> DatasetVersion:
    """Make the ablation of the newest synthetic version: twice `seeds` trainings, the losses on clinical validation rows.

    Steps are those that the recipe takes with the rows, for both arms: without, more passes over the clinical rows take
    their place, so that what is compared is the rows and not the length of training. Facts: `with`, `without` (a loss for
    each seed), `gain` (mean of without - with), `verdict`. Raises `PreceptorError` if there are no synthetic rows, or no
    validation split.
    """
    synthetic = newest(workspace.data, SYNTHETIC)
    require(workspace.data, "synthetic_examples", synthetic.name)
    curated = load(workspace.data, "curated", synthetic.manifest["inputs"]["curated"])
    if not synthetic.facts["accepted"]:
        raise PreceptorError(f"{synthetic.name} holds no synthetic rows: there is nothing to leave out.")
    recipe = load_recipe(resolve_path(settings.training.recipe), settings.training.overrides)
    small = brief(recipe, settings.sufficiency)
    base = resolve(settings.base_model, workspace)

    def write(folder: Path) -> dict[str, Any]:
        losses: dict[str, list[float]] = {"with": [], "without": []}
        for seed in range(seeds):
            arms = {"with": [curated, synthetic], "without": [curated]}
            steps = small.max_steps
            for number, (arm, datasets) in enumerate(arms.items()):
                on_progress(2 * seed + number, 2 * seeds)
                chosen = small.model_copy(update={"seed": small.seed + seed, "max_steps": steps})
                result = trained(workspace, base, datasets, chosen, tracking_uri, experiment())
                if result["validation_loss"] is None:
                    raise PreceptorError(
                        "There is no validation split: what the rows change cannot be measured."
                    )
                losses[arm].append(result["validation_loss"])
                steps = result["steps"]
        on_progress(2 * seeds, 2 * seeds)
        return {**losses, "rows": synthetic.facts["accepted"], **verdict(losses["with"], losses["without"])}

    return make_version(
        workspace.data,
        STAGE,
        inputs={"curated": curated.name, "synthetic": synthetic.name, "base": base.digest},
        config={"recipe": small.model_dump(mode="json"), "seeds": seeds},
        code="1",
        write=write,
    )


def verdict(losses_with: list[float], losses_without: list[float]) -> dict[str, Any]:
    """`gain`: how much lower the loss is with the rows, on average over the seeds. `helps` or `hurts` where it is twice its
    standard error or more, `cannot tell` else, and always with one seed."""
    gains = [b - a for a, b in zip(losses_with, losses_without, strict=True)]
    gain = statistics.fmean(gains)
    error = statistics.stdev(gains) / len(gains) ** 0.5 if len(gains) > 1 else None
    sure = error is not None and abs(gain) >= 2 * error and gain != 0
    said = ("helps" if gain > 0 else "hurts") if sure else "cannot tell"
    return {"gain": round(gain, 4), "standard_error": error and round(error, 4), "verdict": said}
