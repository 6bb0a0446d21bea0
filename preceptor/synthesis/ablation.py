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
    seeds: int = 3,
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
        on_progress(0, 2)
        recipes = [small.model_copy(update={"seed": small.seed + n}) for n in range(seeds)]
        arm = [([curated, synthetic], chosen) for chosen in recipes]
        fed = trained(workspace, base, arm, tracking_uri, experiment())
        on_progress(1, 2)
        # Without, as many steps.
        bare = [
            ([curated], chosen.model_copy(update={"max_steps": result["steps"]}))
            for chosen, result in zip(recipes, fed, strict=True)
        ]
        left = trained(workspace, base, bare, tracking_uri, experiment())
        on_progress(2, 2)
        losses = {
            "with": [result["validation_loss"] for result in fed],
            "without": [result["validation_loss"] for result in left],
        }
        if None in losses["with"]:
            raise PreceptorError("There is no validation split: what the rows change cannot be measured.")
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
    """`gain`: how much lower the loss is with the rows, on average over the seeds, with its 95 % interval by Student's t.
    `helps` or `hurts` where that leaves out 0, `cannot tell` else, and always with one seed."""
    from scipy.stats import t

    gains = [b - a for a, b in zip(losses_with, losses_without, strict=True)]
    gain, count = statistics.fmean(gains), len(gains)
    reach = (
        float(t.ppf(0.975, count - 1)) * statistics.stdev(gains) / count**0.5 if count > 1 else float("inf")
    )
    said = "helps" if gain - reach > 0 else "hurts" if gain + reach < 0 else "cannot tell"
    interval = [round(gain - reach, 4), round(gain + reach, 4)] if count > 1 else None
    return {"gain": round(gain, 4), "interval": interval, "verdict": said}
