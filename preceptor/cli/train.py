"""`preceptor train`: one fine-tuning run outside the UI."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import click

from preceptor.cli._common import emit, json_option, set_values, settings, workspace
from preceptor.errors import GateRefused, PreceptorError, UsageError
from preceptor.settings import Settings, Workspace


@click.command()
@click.option("--recipe", help="A recipe file [default: the one of the profile].")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a value of the recipe.")
@click.option(
    "--launcher",
    type=click.Choice(["auto", "local", "torchrun", "deepspeed", "k8s"]),
    help="What starts the processes [default: training.launcher].",
)
@click.option(
    "--gpus", type=click.IntRange(min=1), help="Processes to train with, one a device; with k8s of all pods."
)
@click.option(
    "--render", is_flag=True, help="With the launcher k8s: print what the cluster would be given and stop."
)
@click.option("--provider", metavar="NAME", help="Let this provider of the settings train, instead of here.")
@click.option(
    "--estimate", is_flag=True, help="With a provider: print what would be sent and what it costs, and stop."
)
@click.option("--schema", "show_schema", is_flag=True, help="Print the JSON schema of a recipe and stop.")
@json_option
def train(
    recipe: str | None,
    changes: tuple[str, ...],
    launcher: str | None,
    gpus: int | None,
    render: bool,
    provider: str | None,
    estimate: bool,
    show_schema: bool,
    as_json: bool,
) -> None:
    """Fine-tune on the newest curated and synthetic data; the same command resumes a run that was killed."""
    if show_schema:
        from preceptor.training.recipe import schema

        click.echo(json.dumps(schema(), indent=1))
        return
    from preceptor.release.registry import experiment, tracking_of
    from preceptor.training.kubernetes import MANIFESTS
    from preceptor.training.stage import prepare

    ours, given = workspace(), settings()
    training = given.training.model_copy(
        update={
            "launcher": launcher or given.training.launcher,
            "processes": gpus or given.training.processes,
            "provider": provider or given.training.provider,
        }
    )
    given = given.model_copy(update={"training": training})
    if training.provider and (recipe or changes or launcher or gpus or render):
        raise UsageError(
            f"A provider trains by its own settings, providers.{training.provider}: --recipe, --set, --launcher, --gpus and "
            "--render do not go with it (rule provider-trains)."
        )
    if estimate:
        _estimate(ours, given, as_json)
        return
    if render and training.launcher != "k8s":
        raise UsageError(
            f"--render prints what a cluster would be given, and the launcher is {training.launcher} (rule nothing-to-render). "
            "Add --launcher k8s."
        )
    tracking = tracking_of(ours)
    ours.mlflow.mkdir(parents=True, exist_ok=True)
    prepared = prepare(
        ours,
        given,
        tracking.uri,
        lambda: experiment(tracking, "training"),
        recipe_file=os.path.abspath(recipe) if recipe else None,
        overrides=set_values(changes),
    )
    if render:
        click.echo((Path(prepared.job.folder) / MANIFESTS).read_text(), nl=False)
        return
    if prepared.finished is None:
        # Libraries print to standard output, which belongs to the result.
        done = subprocess.run(prepared.command, env=os.environ | prepared.environment, stdout=2, check=False)
        if done.returncode:
            kinds: dict[int, type[PreceptorError]] = {2: UsageError, 3: GateRefused}
            on = (
                "goes on with the same job" if training.provider else "resumes from the last whole checkpoint"
            )
            raise kinds.get(done.returncode, PreceptorError)(
                f"Training stopped with exit code {done.returncode}; its last lines above say why. The same command {on}."
            )
    version = prepared.collect()
    facts = {"version": version.name, "path": str(version.path), "reused": version.reused, **version.facts}
    emit(facts, as_json, "\n".join(f"{key}: {value}" for key, value in facts.items()))


def _estimate(ours: Workspace, given: Settings, as_json: bool) -> None:
    if not given.training.provider:
        raise UsageError(
            "--estimate is of a provider (rule nothing-to-estimate): name one with --provider. For training on GPUs, rented or "
            "bought, there is `preceptor size`."
        )
    from preceptor.cli.providers import sending_table
    from preceptor.providers.stage import estimate

    found = estimate(ours, given, given.training.provider)
    emit(found, as_json, lambda: sending_table(found))
