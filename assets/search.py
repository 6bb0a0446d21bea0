"""Stage 5, on request: a search for a better recipe."""

import dagster as dg

from assets._shared import OWNERS, kept, picture, quiet, table, teller
from assets.curated import curated_examples
from assets.synthetic import synthetic_examples
from resources import WorkspaceResource


@dg.asset(
    deps=[curated_examples, synthetic_examples],
    group_name="5_train",
    kinds={"optuna", "pytorch", "mlflow"},
    owners=OWNERS["ml"],
    code_version="1",
    pool="accelerator",
    tags={"zone": "amber"},
)
@quiet
@kept("data")
def recipe_search(context: dg.AssetExecutionContext, workspace: WorkspaceResource) -> dg.MaterializeResult:
    """The best of several brief trainings of the recipe with other values, by validation loss. It changes nothing: train with
    what it finds where you agree. Killed, it goes on; the job `search_recipes` alone makes it."""
    from preceptor.release.registry import experiment
    from preceptor.training.search.stage import EXPERIMENT, search

    tracking = workspace.tracking()
    found = search(
        workspace.workspace(),
        workspace.settings(),
        tracking.uri,
        lambda: experiment(tracking, EXPERIMENT),
        say=teller(context),
    )
    facts = found.facts
    trials = {
        str(row["number"]): {
            "state": row["state"],
            "loss": "" if row["validation_loss"] is None else row["validation_loss"],
            **row["values"],
            "": row["reason"],
        }
        for row in facts["trials"]
    }
    return dg.MaterializeResult(
        data_version=dg.DataVersion(f"{facts['search']}-{len(trials)}"),
        metadata={
            "search": facts["search"],
            "lowest validation loss": facts["best"]["validation_loss"],
            "of the recipe as it is": facts["own"] and facts["own"]["validation_loss"],
            "best values": table(facts["best"]["values"], ("key", "value")),
            "best recipe": dg.MetadataValue.md(f"```yaml\n{found.best_recipe.read_text()}```"),
            "best recipe, file": dg.MetadataValue.path(str(found.best_recipe)),
            "trials": table(trials, ("trial", "state", "validation loss", *facts["best"]["values"], "")),
            "losses": picture(found.plot.read_bytes(), "validation loss by trial and by value"),
        },
    )
