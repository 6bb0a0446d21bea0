"""The jobs: the whole pipeline for a batch, retraining from all batches, promotion, rollback, monitoring."""

from typing import Any

import dagster as dg

from assets._retraining import JOB
from assets._shared import quiet
from assets.curated import curated_examples, data_sufficiency
from assets.deidentified import phi_tagger
from assets.evaluation import evaluation_report
from assets.model import fine_tuned_model
from assets.monitoring import drift_report, traffic_report
from assets.release import candidate_version, champion, governance_papers
from assets.search import recipe_search
from assets.synthetic import synthetic_examples
from resources import WorkspaceResource

pipeline = dg.define_asset_job(
    "pipeline",
    selection=dg.AssetSelection.all()
    - dg.AssetSelection.assets(champion, phi_tagger, recipe_search, traffic_report),
    description="The main job: a batch of raw documents in, an evaluated candidate that waits for approval out.",
)

retraining = dg.define_asset_job(
    JOB,
    selection=dg.AssetSelection.assets(
        curated_examples,
        data_sufficiency,
        synthetic_examples,
        fine_tuned_model,
        evaluation_report,
        candidate_version,
        governance_papers,
    ),
    description="Train, evaluate and register again from all batches that are de-identified. The result becomes candidate only "
    "if it is better than the champion.",
)

promotion = dg.define_asset_job(
    "promotion",
    selection=dg.AssetSelection.assets(champion),
    description="Make an approved version the champion. Refuses without the signed approvals.",
)

monitoring = dg.define_asset_job(
    "monitoring",
    selection=dg.AssetSelection.assets(drift_report, traffic_report),
    description="Measure drift of what arrived since the champion was trained, and watch over production.",
)


class RollbackConfig(dg.Config):
    """Why the champion goes back, kept in the record; and to which earlier one (NAME/VERSION). Empty: the previous one."""

    reason: str
    to: str = ""


@dg.op(description="An earlier champion becomes the champion again. Refuses if there is none.")
@quiet
def roll_back(context: dg.OpExecutionContext, config: RollbackConfig, workspace: WorkspaceResource) -> None:
    from preceptor.serving.rollout import roll_back as go_back

    with workspace.record() as record:
        found = go_back(
            workspace.workspace(),
            workspace.settings(),
            workspace.tracking(),
            record,
            actor=f"run:{context.run_id}",
            reason=config.reason,
            to=config.to or None,
        )
    done = found.done
    context.log.info(f"champion is {done.champion} again, previous is {done.previous or 'none'}")
    for line in found.said():
        context.log.info(line)


@dg.job(description="Back to the previous champion, or to any earlier one, at once.")
def rollback() -> None:
    roll_back()


tagger_training = dg.define_asset_job(
    "tagger_training",
    selection=dg.AssetSelection.assets(phi_tagger),
    description="Train the tagger of identifiers again, from our annotated notes and the hospital's own.",
)

searching = dg.define_asset_job(
    "search_recipes",
    selection=dg.AssetSelection.assets(recipe_search),
    description="Look for a better recipe by brief trainings on the newest data. What trains models goes on as it is set.",
)

JOBS: list[Any] = [pipeline, tagger_training, searching, retraining, promotion, monitoring, rollback]
