"""`preceptor models recommend`: which model suits stated needs, and why."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from preceptor.cli._common import columns, emit, json_option, settings
from preceptor.errors import UsageError

if TYPE_CHECKING:
    from preceptor.advice.needs import Deployment, LicenceNeed

SHOWN = 10  # rows of the table
TOLD = 3  # models that are told of at length


@click.command()
@click.option("--task", metavar="NAME", help="The use case; exams count for more where it is like one.")
@click.option("--languages", default="en", show_default=True, metavar="en,de", help="ISO 639-1, with commas.")
@click.option(
    "--licence",
    type=click.Choice(("any", "commercial", "open")),
    default="commercial",
    show_default=True,
    help="What it must allow; open: without rules about use.",
)
@click.option("--gpu", metavar="NAME", help="The GPU that is there, by its name in the price file.")
@click.option("--gpus", type=click.IntRange(1, 8), default=1, show_default=True, help="How many of them.")
@click.option("--no-gpu", is_flag=True, help="There is none: a plain server.")
@click.option(
    "--deployment",
    type=click.Choice(("on-premises", "cloud-baa", "hybrid")),
    default="on-premises",
    show_default=True,
    help="Where patients' data may go.",
)
@click.option("--budget", type=click.FloatRange(min=0), metavar="USD", help="A month, for answering.")
@click.option(
    "--latency", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="For a whole answer."
)
@click.option("--examples", type=click.IntRange(0), metavar="N", help="To fine-tune with.")
@click.option(
    "--volume", type=click.FloatRange(min=1), default=10_000, show_default=True, help="Answers a month."
)
@click.option("--prompt-tokens", type=click.IntRange(1), default=1500, show_default=True)
@click.option("--answer-tokens", type=click.IntRange(1), default=300, show_default=True)
@click.option("--at-once", type=click.IntRange(1), default=8, show_default=True, help="Answers at a time.")
@click.option(
    "--prices", type=click.Path(path_type=Path), help="A price file. [default: recipes/prices.yaml]"
)
@json_option
def recommend(
    task: str | None,
    languages: str,
    licence: str,
    gpu: str | None,
    gpus: int,
    no_gpu: bool,
    deployment: str,
    budget: float | None,
    latency: float | None,
    examples: int | None,
    volume: float,
    prompt_tokens: int,
    answer_tokens: int,
    at_once: int,
    prices: Path | None,
    as_json: bool,
) -> None:
    """Rank the models for stated needs: what must be first, then published evidence, cost and speed.

    Each is told why it is in or out, and what would change that. docs/choosing.md tells how.
    """
    from preceptor.advice.needs import Needs
    from preceptor.advice.recommend import document
    from preceptor.advice.recommend import recommend as rank
    from preceptor.advice.running import Workload
    from preceptor.models import load_apis, load_catalogue, load_licences
    from preceptor.planning import gpu_named, load_prices

    if gpu and no_gpu:
        raise UsageError("--gpu and --no-gpu contradict each other: leave one out.")
    if deployment != "cloud-baa" and not gpu and not no_gpu:
        raise UsageError("Say what hardware is there: --gpu NAME (and --gpus N), or --no-gpu.")
    told = load_prices(prices) if prices else load_prices()
    chosen = settings()
    needs = Needs(
        deployment=cast("Deployment", deployment),
        load=Workload(volume, prompt_tokens, answer_tokens, at_once),
        gpu=gpu_named(gpu, told) if gpu else None,
        gpus=gpus,
        licence=cast("LicenceNeed", licence),
        languages=_languages(languages),
        examples=examples,
        min_examples=chosen.sufficiency.min_effective,
        exam_like=_exam_like(task),
        budget=budget,
        latency=latency,
    )
    found = rank(load_catalogue(), load_licences(), load_apis(), told, needs)
    facts = {"task": task, **document(found, needs)}
    emit(facts, as_json, lambda: _said(facts))


def _languages(text: str) -> tuple[str, ...]:
    parts = tuple(part.strip().lower() for part in text.split(","))
    if not all(re.fullmatch("[a-z]{2}", part) for part in parts):
        raise UsageError(
            f"--languages {text}: write two letters each (ISO 639-1) with commas between, as en,de."
        )
    return parts


def _exam_like(task: str | None) -> bool:
    from preceptor.curation.curate import use_case_folders
    from preceptor.curation.tasks import load_use_cases

    if task is None:
        return False
    (use_case,) = load_use_cases((task,), use_case_folders(settings().curation))
    return use_case.form == "differential"


def _said(facts: dict[str, Any]) -> str:
    rows = [
        (
            place,
            one["name"],
            f"{one['score']:.1f}",
            *(
                "?" if one["points"][part] is None else f"{one['points'][part]:.1f}"
                for part in ("evidence", "cost", "speed")
            ),
            "?" if one["per_month"] is None else f"${one['per_month']:,.0f}",
            "?" if one["seconds"] is None else f"{one['seconds']:,.1f}",
            one["place"],
        )
        for place, one in enumerate(facts["ranked"][:SHOWN], start=1)
    ]
    head = ("", "model", "points", "evidence", "cost", "speed", "a month", "s/answer", "where")
    parts = [columns(rows, head) if rows else "No model suits."]
    if len(facts["ranked"]) > SHOWN:
        parts[0] += f"\nand {len(facts['ranked']) - SHOWN} more (--json)"
    for one in facts["ranked"][:TOLD]:
        lines = [f"{one['name']} is in:", *one["why"], *one["unknown"]]
        lines += [f"mind: {caution}" for caution in one["cautions"]]
        parts.append("\n  ".join(lines))
    if facts["out"]:
        lines = ["Out:"]
        for one in facts["out"][:SHOWN]:
            lines.append(f"{one['name']}: " + " ".join(reason["said"] for reason in one["why_not"]))
        if len(facts["out"]) > SHOWN:
            lines.append(f"and {len(facts['out']) - SHOWN} more (--json)")
        parts.append("\n  ".join(lines))
    if facts["changes"]:
        parts.append("\n  ".join(["What would change this:", *facts["changes"]]))
    return "\n\n".join(parts)
