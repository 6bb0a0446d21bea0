"""Stage 8: drift of what arrives against what the champion learnt from."""

import dagster as dg

from assets._shared import OWNERS, quiet, table
from assets.deidentified import deidentified_documents
from resources import WorkspaceResource


@dg.asset(
    deps=[deidentified_documents],
    group_name="8_monitor",
    kinds={"numpy"},
    owners=OWNERS["ml"],
    code_version="1",
    tags={"zone": "green"},
)
@quiet
def drift_report(context: dg.AssetExecutionContext, workspace: WorkspaceResource) -> dg.MaterializeResult:
    """How far new batches differ from the champion's data: population stability index of note type, specialty,
    length and codes. Before there is a champion there is nothing to compare with, and it says so."""
    from preceptor.consent import unusable_patients
    from preceptor.monitoring.stage import measure_drift
    from preceptor.release.stage import champion_data

    reference = champion_data(workspace.tracking(), workspace.workspace(), workspace.settings())
    with workspace.vault() as vault:
        batches = vault.batches()
        unusable = unusable_patients(vault, workspace.settings().intake)
    report = measure_drift(
        workspace.workspace(), workspace.settings().monitoring, batches, reference, unusable
    )
    return dg.MaterializeResult(
        metadata={
            "compared with": report["reference"] or "no champion yet",
            "new documents": report["new_documents"],
            "stability index": table(report["psi"], ("what", "PSI")),
            "drifted": report["drifted"],
        }
    )
