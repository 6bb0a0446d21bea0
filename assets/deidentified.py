"""Stage 2: de-identified documents."""

import dagster as dg

from assets._shared import OWNERS, batches, progress, quiet, table
from assets.raw import raw_documents
from resources import WorkspaceResource


@dg.asset(
    partitions_def=batches,
    deps=[raw_documents],
    group_name="2_deidentify",
    kinds={"presidio", "parquet"},
    owners=OWNERS["privacy"],
    code_version="1",
    tags={"zone": "amber"},
)
@quiet
def deidentified_documents(
    context: dg.AssetExecutionContext, workspace: WorkspaceResource
) -> dg.MaterializeResult:
    """Notes without identifiers: the same surrogate throughout a patient's record, dates shifted, ages over 89 and
    ZIP codes generalised. A document in which the independent leak check finds anything is withheld."""
    from preceptor.consent import unusable_patients
    from preceptor.deid.stage import deidentify_batch
    from preceptor.keys import deid_secret

    with workspace.vault() as vault:
        version = deidentify_batch(
            vault,
            context.partition_key,
            workspace.workspace().data,
            workspace.settings().deid,
            deid_secret(workspace.workspace()),
            progress(context, "documents"),
            unusable_patients(vault, workspace.settings().intake),
        )
    facts = version.facts
    return dg.MaterializeResult(
        data_version=dg.DataVersion(version.name),
        metadata={
            "version": version.name,
            "documents": facts["documents"],
            "withheld": facts["withheld"],
            "identifiers replaced": facts["spans"],
            "by type": table(facts["by_type"], ("type", "spans")),
            "by layer": table(facts["by_source"], ("layer", "spans")),
            "leaks by rule": table(facts["leaks_by_rule"], ("rule", "leaks")),
        },
    )
