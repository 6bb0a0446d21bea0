"""Stage 4: synthetic augmentation."""

import dagster as dg

from assets._shared import OWNERS, kept, progress, quiet, table
from assets.curated import curated_examples
from resources import WorkspaceResource


@dg.asset(
    deps=[curated_examples],
    group_name="4_synthesize",
    kinds={"transformers", "parquet"},
    owners=OWNERS["ml"],
    code_version="2",
    pool="accelerator",
    tags={"zone": "amber"},
)
@quiet
@kept("data", "reports")
def synthetic_examples(
    context: dg.AssetExecutionContext, workspace: WorkspaceResource
) -> dg.MaterializeResult:
    """Further training examples made from curated ones: by a language model, by variation, from ICD-10-CM. Marked as
    synthetic for ever, filtered, capped in share, never in the test split."""
    from preceptor.consent import require_usable
    from preceptor.evaluation.stage import last_weaknesses
    from preceptor.providers.writing import Writer
    from preceptor.quality import require
    from preceptor.synthesis.stage import synthesize
    from preceptor.versions import newest

    data, settings = workspace.workspace().data, workspace.settings()
    curated = newest(data, "curated")
    require(data, "curated_examples", curated.name)
    require_usable(workspace.workspace(), settings.intake, [curated], "Synthesis")
    version = synthesize(
        data,
        curated,
        settings.synthesis,
        settings.curation,
        workspace.base_model,
        last_weaknesses(workspace.workspace()) if settings.synthesis.target_weak else None,
        progress(context, "candidates"),
        lambda: Writer(workspace.workspace(), settings, curated),
    )
    facts = version.facts
    return dg.MaterializeResult(
        data_version=dg.DataVersion(version.name),
        metadata={
            "version": version.name,
            "generator": facts["generator"],
            "candidates": facts["candidates"],
            "accepted": facts["accepted"],
            "accepted by use case": table(facts["accepted_by_task"], ("use case", "rows")),
            "refused by rule": table(facts["refused"], ("rule", "candidates")),
            "judged by the base model": table(facts["judged"], ("verdict", "candidates")),
            "share of training data": facts["share"],
        },
    )
