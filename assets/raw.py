"""Stage 1: raw documents, in the vault."""

import dagster as dg

from assets._shared import OWNERS, batches, progress, quiet, table
from resources import WorkspaceResource


@dg.asset(
    partitions_def=batches,
    group_name="1_intake",
    kinds={"vault", "sqlite"},
    owners=OWNERS["privacy"],
    code_version="1",
    tags={"zone": "red"},
)
@quiet
def raw_documents(context: dg.AssetExecutionContext, workspace: WorkspaceResource) -> dg.MaterializeResult:
    """A batch of documents in the encrypted vault, as the hospital sent them. Only counts leave this stage.

    A batch comes from `preceptor intake`, or from the folder that the setting `corpus` names. What could not be
    read is in quarantine with its rule; nothing is lost.
    """
    from preceptor.documents.stage import take_in_corpus

    with workspace.vault() as vault:
        take_in_corpus(vault, workspace.settings(), context.partition_key, progress(context, "files"))
        counts = vault.counts(context.partition_key)
        manifest = vault.manifest(context.partition_key)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(manifest[:20]),
        metadata={
            "documents": counts.documents,
            "patients": counts.patients,
            "quarantined": counts.quarantined,
            "by format": table(counts.by_format, ("format", "documents")),
            "quarantine by rule": table(counts.by_rule, ("rule", "files")),
            "refused at the door": sum(counts.by_refusal.values()),
            "refused by rule": table(counts.by_refusal, ("rule", "documents")),
        },
    )
