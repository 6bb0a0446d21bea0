"""`preceptor search`: look for a better recipe by brief trainings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from preceptor.cli._common import columns, emit, json_option, settings, workspace
from preceptor.settings import ROOT


@click.command()
@click.option("--recipe", help="The recipe to begin from [default: the one of the profile].")
@click.option("--space", help="What varies, and how [default: the one of the profile].")
@click.option(
    "--trials",
    type=click.IntRange(1),
    help="Trials together, with those of an earlier call [default: as the space says].",
)
@json_option
def search(recipe: str | None, space: str | None, trials: int | None, as_json: bool) -> None:
    """Train a recipe briefly with other values, again and again, and keep the one with the lowest validation loss.

    The same command goes on where it was killed. The test split is not looked at.
    """
    from preceptor.release.registry import experiment, tracking_of
    from preceptor.training.search.stage import EXPERIMENT
    from preceptor.training.search.stage import search as run

    ours = workspace()
    tracking = tracking_of(ours)
    found = run(
        ours,
        settings(),
        tracking.uri,
        lambda: experiment(tracking, EXPERIMENT),
        os.path.abspath(recipe) if recipe else None,
        os.path.abspath(space) if space else None,
        trials,
        lambda line: click.echo(f"search: {line}", err=True),
    )
    files = {
        "best_recipe": str(found.best_recipe),
        "plot": str(found.plot),
        "trials_file": str(found.trials),
    }

    def said() -> str:
        facts = found.facts
        rows = [
            (row["number"], row["state"], _loss(row), *map(_short, row["values"].values()), row["reason"])
            for row in facts["trials"]
        ]
        table = columns(rows, ("trial", "state", "loss", *facts["best"]["values"], ""))
        home = "" if ours.home == ROOT / "var" else f" --home {ours.home}"
        next_step = _next(facts, f"preceptor{home}", found.best_recipe)
        return f"{table}\n\n{_verdict(facts)}\nPicture: {found.plot}\n{next_step}"

    emit({**found.facts, "trained_now": found.new, **files}, as_json, said)


def _loss(row: dict[str, Any]) -> str:
    return "" if row["validation_loss"] is None else f"{row['validation_loss']:.4f}"


def _verdict(facts: dict[str, Any]) -> str:
    best, own = facts["best"], facts["own"]
    if own == best:
        return f"No trial was better than the recipe as it is: validation loss {_loss(best)}."
    before = f"; the recipe as it is: {_loss(own)}" if own and own["state"] == "complete" else ""
    return f"Best: trial {best['number']}, validation loss {_loss(best)}{before}. That is of brief trainings, not of the model."


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _next(facts: dict[str, Any], program: str, recipe: Path) -> str:
    if facts["own"] == facts["best"]:
        return f"Go on with more:  {program} search --trials N"
    return f"Train with it:  {program} train --recipe {recipe}\nand score it:   {program} evaluate"
