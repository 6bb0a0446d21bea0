"""Stage 7: the candidate that waits for approval, and the champion."""

import dagster as dg

from assets._retraining import gain_asked, note_result
from assets._shared import OWNERS, quiet, table
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
    from preceptor.release.promotion import promote
    from preceptor.release.stage import require_usable_data, validity

    settings = workspace.settings().release
    version = config.version or f"{settings.model_name}@candidate"
    require_usable_data(workspace.workspace(), workspace.settings(), workspace.tracking(), version)
    with workspace.record() as record:
        done = promote(
            workspace.tracking(),
            record,
            version,
            required=settings.required_approvals,
            validity=validity(workspace.settings()),
            actor="approval-sensor",
        )
    return dg.MaterializeResult(metadata={"champion": done.champion, "previous": done.previous or "none"})
