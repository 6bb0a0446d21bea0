"""Stage 5: training, in a process of its own through Dagster Pipes."""

import dagster as dg

from assets._shared import OWNERS, kept, picture, quiet, table
from assets.curated import curated_examples, data_sufficiency
from assets.synthetic import synthetic_examples
from resources import WorkspaceResource


@dg.asset(
    deps=[curated_examples, data_sufficiency, synthetic_examples],
    group_name="5_train",
    kinds={"pytorch", "huggingface", "mlflow"},
    owners=OWNERS["ml"],
    code_version="1",
    pool="accelerator",
    tags={"zone": "amber"},
)
@quiet
@kept("data", "models")
def fine_tuned_model(
    context: dg.AssetExecutionContext, workspace: WorkspaceResource, pipes: dg.PipesSubprocessClient
) -> dg.MaterializeResult:
    """The base model fine-tuned on curated and synthetic examples. Killed, it goes on from its last whole
    checkpoint; loss and speed are in MLflow while it runs."""
    from preceptor.errors import PreceptorError
    from preceptor.release.registry import experiment
    from preceptor.training.curve import loss_curve
    from preceptor.training.stage import prepare

    tracking = workspace.tracking()
    prepared = prepare(
        workspace.workspace(), workspace.settings(), tracking.uri, lambda: experiment(tracking, "training")
    )
    if prepared.finished is None:
        try:
            pipes.run(command=prepared.command, env=prepared.environment, context=context)
        except Exception as error:  # Dagster's has no public name, and knows the exit code only
            raise PreceptorError(prepared.why_stopped()) from error
    version = prepared.collect()
    facts = version.facts
    return dg.MaterializeResult(
        data_version=dg.DataVersion(version.name),
        metadata={
            "version": version.name,
            "mlflow run": facts["run_id"],
            "loss": picture(loss_curve(version), "training and validation loss"),
            "facts": table({k: v for k, v in facts.items() if v is not None}, ("fact", "value")),
        },
    )
