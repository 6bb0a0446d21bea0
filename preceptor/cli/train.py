"""`preceptor train`: one fine-tuning run outside the UI."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import click

from preceptor.cli._common import emit, json_option, settings, workspace
from preceptor.errors import PreceptorError, UsageError


@click.command()
@click.option("--recipe", help="A recipe file [default: the one of the profile].")
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change a value of the recipe.")
@click.option("--launcher", type=click.Choice(["auto", "local", "torchrun", "deepspeed"]), default="auto")
@click.option("--gpus", type=click.IntRange(min=1), help="Processes to train with, one a device.")
@click.option("--schema", "show_schema", is_flag=True, help="Print the JSON schema of a recipe and stop.")
@json_option
def train(
    recipe: str | None,
    changes: tuple[str, ...],
    launcher: str,
    gpus: int | None,
    show_schema: bool,
    as_json: bool,
) -> None:
    """Fine-tune on the newest curated and synthetic data; the same command resumes a run that was killed."""
    if show_schema:
        from preceptor.training.recipe import schema

        click.echo(json.dumps(schema(), indent=1))
        return
    from preceptor.release.registry import experiment, tracking_of
    from preceptor.training.stage import prepare

    ours, given = workspace(), settings()
    training = given.training.model_copy(
        update={"launcher": launcher, "processes": gpus or given.training.processes}
    )
    tracking = tracking_of(ours)
    ours.mlflow.mkdir(parents=True, exist_ok=True)
    prepared = prepare(
        ours,
        given.model_copy(update={"training": training}),
        tracking.uri,
        lambda: experiment(tracking, "training"),
        recipe_file=os.path.abspath(recipe) if recipe else None,
        overrides=_parsed(changes),
    )
    if prepared.finished is None:
        # Libraries print to standard output, which belongs to the result.
        done = subprocess.run(prepared.command, env=os.environ | prepared.environment, stdout=2, check=False)
        if done.returncode:
            raise PreceptorError(
                f"Training stopped with exit code {done.returncode}; its last lines above say why. The same command "
                "resumes from the last whole checkpoint."
            )
    version = prepared.collect()
    facts = {"version": version.name, "path": str(version.path), "reused": version.reused, **version.facts}
    emit(facts, as_json, "\n".join(f"{key}: {value}" for key, value in facts.items()))


def _parsed(changes: tuple[str, ...]) -> dict[str, Any]:
    import yaml

    result = {}
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals:
            raise UsageError(
                f"--set takes KEY=VALUE, such as optimizer.learning_rate=2e-4; {change!r} has no '='."
            )
        result[key] = yaml.safe_load(value)
    return result
