"""Stage 8: drift of what arrives against what the champion learnt from, and what production is like."""

import dagster as dg

from assets._shared import OWNERS, kept, picture, quiet, table
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
@kept("data")
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


@dg.asset(
    group_name="8_monitor",
    kinds={"sqlite"},
    owners=OWNERS["ml"],
    code_version="1",
    tags={"zone": "green"},
)
@quiet
def traffic_report(context: dg.AssetExecutionContext, workspace: WorkspaceResource) -> dg.MaterializeResult:
    """What production was asked and answered up to yesterday, from the gateway's log: volume, speed, errors, shifts of cases and
    answers, leaks, what clinicians keep, gaps between groups. Raises and clears alarms, and rolls back where the policy says so."""
    from preceptor.monitoring.pictures import overview
    from preceptor.monitoring.traffic_report import PAGE
    from preceptor.monitoring.watch import watch_traffic

    with workspace.record() as record:
        facts = watch_traffic(
            workspace.workspace(),
            workspace.settings(),
            workspace.tracking(),
            record,
            actor=f"run:{context.run.run_id}",
        )
    subjects = facts["subjects"]
    served = next((s for s in subjects.values() if s["role"] == "served"), subjects["service"])
    return dg.MaterializeResult(
        metadata={
            "window": f"{facts['window']['first']} to {facts['window']['last']}",
            "champion": facts["champion"] or "no champion yet",
            "requests": subjects["service"]["requests"],
            "alarms": table({a["text"]: a["severity"] for a in facts["alarms"]}, ("alarm", "severity")),
            "rollback": str(facts["rollback"] or "none"),
            "measures": table(
                {
                    m["title"]: {
                        k: "" if m[k] is None else m[k] for k in ("value", "reference", "limit", "n")
                    }
                    for m in served["measures"].values()
                },
                ("measure", "value", "usual", "limit", "n"),
            ),
            "by day": picture(overview(facts), "requests, seconds and share of drafts kept by day"),
            "page": dg.MetadataValue.path(str(workspace.workspace().monitoring / PAGE)),
        }
    )
