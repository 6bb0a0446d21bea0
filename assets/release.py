"""Stage 7: the candidate that waits for approval, and the champion."""

import dagster as dg

from assets._retraining import gain_asked, note_result
from assets._shared import OWNERS, kept, quiet, table
from assets.evaluation import evaluation_report
from assets.model import fine_tuned_model
from resources import WorkspaceResource


@dg.asset(
    deps=[fine_tuned_model, evaluation_report],
    group_name="7_release",
    kinds={"mlflow"},
    owners=OWNERS["clinical"],
    code_version="1",
    tags={"zone": "amber"},
)
@quiet
@kept("data", "models", "reports")
def candidate_version(
    context: dg.AssetExecutionContext, workspace: WorkspaceResource
) -> dg.MaterializeResult:
    """A version in the MLflow registry with everything needed to make it again. It is the candidate, and may be
    approved, only if the evaluation gates passed; after a retraining also only if it is better than the champion."""
    from preceptor.release.stage import submit_newest

    with workspace.record() as record:
        submitted = submit_newest(
            workspace.workspace(),
            workspace.settings(),
            workspace.tracking(),
            record,
            context.run_id,
            gain_asked(context.run, workspace.settings()),
        )
    info, decision = submitted.info, submitted.decision
    return dg.MaterializeResult(
        data_version=dg.DataVersion(info.digest[:20]),
        metadata={
            "version": info.ref,
            **note_result(context.run, workspace.workspace(), submitted),
            "aliases": ", ".join(info.aliases) or "none",
            "gate passed": decision.passed,
            "kept from candidate by": "; ".join(r.text for r in decision.reasons if not r.passed)
            or "nothing",
            "gate policy": decision.policy[:12],
            "gate": table(
                {r.rule: {"passed": r.passed, "what": r.text} for r in decision.reasons},
                ("rule", "passed", "what"),
            ),
        },
    )


@dg.asset(
    deps=[candidate_version],
    group_name="7_release",
    kinds={"html", "pdf"},
    owners=OWNERS["clinical"],
    code_version="1",
    tags={"zone": "green"},
)
@quiet
def governance_papers(
    context: dg.AssetExecutionContext, workspace: WorkspaceResource
) -> dg.MaterializeResult:
    """Model card, data card, source attributes, change record and risk framework mapping of the version evaluated last, from recorded
    facts, as HTML and PDF."""
    from preceptor.papers.stage import papers_of_last

    with workspace.record() as record:
        papers = papers_of_last(workspace.workspace(), workspace.settings(), workspace.tracking(), record)
    return dg.MaterializeResult(
        data_version=dg.DataVersion(papers.facts[:20]),
        metadata={
            "version": papers.ref,
            "papers": dg.MetadataValue.path(str(papers.path / "index.html")),
            "files": len(papers.files),
            "facts": papers.facts[:16],
        },
    )


class PromotionConfig(dg.Config):
    """Which approved version to promote; empty: the candidate."""

    version: str = ""


@dg.asset(
    deps=[candidate_version],
    group_name="7_release",
    kinds={"mlflow"},
    owners=OWNERS["clinical"],
    code_version="1",
    tags={"zone": "amber"},
)
@quiet
def champion(
    context: dg.AssetExecutionContext, config: PromotionConfig, workspace: WorkspaceResource
) -> dg.MaterializeResult:
    """The version in use. A signed approval, seen by the approval sensor, makes the candidate the champion; the
    champion before stays as `previous`, for a rollback."""
    from preceptor.serving.rollout import roll_out

    settings = workspace.settings()
    version = config.version or f"{settings.release.model_name}@candidate"
    with workspace.record() as record:
        found = roll_out(
            workspace.workspace(),
            settings,
            workspace.tracking(),
            record,
            version,
            actor="approval-sensor",
        )
    done = found.back or found.done
    return dg.MaterializeResult(
        metadata={
            "champion": done.champion,
            "previous": done.previous or "none",
            "what was seen": " ".join(found.said()) or "nothing to tell",
        }
    )
