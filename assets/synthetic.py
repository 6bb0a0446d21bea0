"""Stage 4: synthetic augmentation."""

import dagster as dg

from assets._shared import OWNERS, progress, quiet, table
from assets.curated import curated_examples
from resources import WorkspaceResource


@dg.asset(
    deps=[curated_examples],
    group_name="4_synthesize",
    kinds={"transformers", "parquet"},
    owners=OWNERS["ml"],
    code_version="1",
    pool="accelerator",
    tags={"zone": "amber"},
)
@quiet
def synthetic_examples(
    context: dg.AssetExecutionContext, workspace: WorkspaceResource
) -> dg.MaterializeResult:
    """Further training examples written by a language model from curated ones. Marked as synthetic for ever,
    filtered, capped in share, never in the test split."""
    from preceptor.consent import require_usable
    from preceptor.quality import require
    from preceptor.synthesis.stage import synthesize
    from preceptor.versions import newest

    data = workspace.workspace().data
    curated = newest(data, "curated")
    require(data, "curated_examples", curated.name)
    require_usable(workspace.workspace(), workspace.settings().intake, [curated], "Synthesis")
    version = synthesize(
        data,
        curated,
        workspace.settings().synthesis,
        workspace.base_model,
        progress(context, "candidates"),
    )
    facts = version.facts
    return dg.MaterializeResult(
        data_version=dg.DataVersion(version.name),
        metadata={
            "version": version.name,
            "generator": facts["generator"],
            "candidates": facts["candidates"],
            "accepted": facts["accepted"],
            "refused by rule": table(facts["refused"], ("rule", "candidates")),
            "share of training data": facts["share"],
        },
    )
