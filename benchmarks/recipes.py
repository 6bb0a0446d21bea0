"""Every recipe for one process, for a few steps: `python benchmarks/recipes.py --home HOME [--steps 6]`.

HOME has been through `preceptor run --until synthetic_examples`. A line each: tokens a second, memory as estimated before and as measured
(peak of the process), loss of the first and the last step. Those for several processes are left out, and preferences, which
need corrections.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))


def main() -> None:
    from preceptor.models import resolve
    from preceptor.release.registry import experiment, tracking_of
    from preceptor.settings import Workspace, load_settings
    from preceptor.training.brief import trained
    from preceptor.training.notes import notes_version
    from preceptor.training.recipe import load_recipe
    from preceptor.versions import newest

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--recipe", nargs="+", help="Only these.")
    given = parser.parse_args()
    os.environ["PYTHONWARNINGS"] = "ignore"
    workspace, settings = Workspace(given.home), load_settings()
    base = resolve(settings.base_model, workspace)
    tracking = tracking_of(workspace)
    data = [newest(workspace.data, stage) for stage in ("curated", "synthetic")]
    print(
        "| recipe | steps | tokens/s | estimated MB | peak MB | first loss | last loss |\n|---|---|---|---|---|---|---|"
    )
    for path in sorted((ROOT / "recipes" / "train").glob("*.yaml")):
        changes = {
            "max_steps": given.steps,
            "checkpoint_steps": 1000,
            "stopping.keep": "last",
            "stopping.evaluate_steps": 1000,
        }
        recipe = load_recipe(path, changes)
        if (
            recipe.zero_stage
            or recipe.objective == "preferences"
            or (given.recipe and path.stem not in given.recipe)
        ):
            continue
        datasets = (
            [*data, notes_version(workspace.data, data[0], settings.curation)]
            if recipe.objective == "notes"
            else data
        )
        (found,) = trained(
            workspace, base, [(datasets, recipe)], tracking.uri, experiment(tracking, "recipes")
        )
        print(
            f"| {path.stem} | {found['steps']} | {found['tokens_per_second']:.0f} | {found['estimated_memory_mb']:,} | "
            f"{found['peak_memory_mb']:,} | {found['first_loss']:.3f} | {found['last_loss']:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
