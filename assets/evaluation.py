"""Stage 6: evaluation against the alternatives."""

import dagster as dg

from assets._retraining import gain_asked
from assets._shared import OWNERS, kept, progress, quiet, table
from assets.curated import curated_examples
from assets.model import fine_tuned_model
from resources import WorkspaceResource


@dg.asset(
    deps=[curated_examples, fine_tuned_model],
    group_name="6_evaluate",
    kinds={"transformers", "html"},
    owners=[*OWNERS["ml"], *OWNERS["clinical"]],
    code_version="1",
    pool="accelerator",
    tags={"zone": "green"},
)
@quiet
@kept("data", "models", "reports")
def evaluation_report(
    context: dg.AssetExecutionContext, workspace: WorkspaceResource
) -> dg.MaterializeResult:
    """Base, few-shot, RAG, fine-tuned, fine-tuned with RAG and the present champion on the same held-out cases, with
    confidence intervals, and a report that a clinician can read."""
    from preceptor.evaluation.stage import evaluate_newest
    from preceptor.release.policy import policy_digest
    from preceptor.release.stage import champion_model, gate_for
    from preceptor.versions import digest, newest

    settings, gain = workspace.settings(), gain_asked(context.run, workspace.settings())
    policy = policy_digest(settings.gates)
    champion = champion_model(workspace.tracking(), workspace.workspace(), settings)
    version = evaluate_newest(
        workspace.workspace(),
        settings,
        workspace.base_model(),
        champion,
        progress(context, "answers"),
        gate_for(
            settings,
            champion.info if champion else None,
            newest(workspace.workspace().models, "model").name,
            gain,
        ),
        policy if gain is None else digest([policy, gain]),
    )
    facts = version.facts
    return dg.MaterializeResult(
        data_version=dg.DataVersion(version.name),
        metadata={
            "version": version.name,
            "report": dg.MetadataValue.path(str(version.path / "report.html")),
            "cases": facts["n_cases"],
            "score by arm": table(facts["headline"], ("arm", "mean", "low", "high")),
            "fine-tuned compared": table(facts["compared"], ("with", "difference", "low", "high")),
        },
    )
