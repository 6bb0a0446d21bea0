"""`preceptor size`: which GPUs a fine-tuning needs, how long it takes, what it costs, rent or buy."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click

from preceptor.cli._common import emit, json_option, set_values, settings, workspace
from preceptor.cli.size_tables import said
from preceptor.errors import UsageError
from preceptor.training.recipe import MethodName

_METHODS = get_args(MethodName)
_NEEDED = {"none": 0, "optimizer": 1, "all": 3}  # the least stage of ZeRO for an offload


@click.command()
@click.option(
    "--model", metavar="NAME", help="Of the catalogue, or a folder. [default: the setting base_model]"
)
@click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="A number of the architecture: layers=32."
)
@click.option("--method", type=click.Choice(_METHODS), help="[default: what is cheapest]")
@click.option("--gpu", metavar="NAME", help="Of the price file. [default: what is cheapest]")
@click.option("--gpus", type=click.IntRange(min=1), help="[default: 1, or what is cheapest]")
@click.option(
    "--zero", type=click.IntRange(0, 3), help="DeepSpeed's stage. [default: 0, or what is cheapest]"
)
@click.option("--seq", type=click.IntRange(min=1), default=2048, show_default=True, help="Tokens of a row.")
@click.option(
    "--micro-batch", type=click.IntRange(min=1), help="Rows of a step of one GPU. [default: 1, or …]"
)
@click.option("--checkpointing/--no-checkpointing", default=None, help="Compute activations again.")
@click.option("--offload", type=click.Choice(["none", "optimizer", "all"]), help="To the machine's memory.")
@click.option("--rank", type=click.IntRange(min=1), default=16, show_default=True, help="Of the adapters.")
@click.option(
    "--targets", default="all-linear", show_default=True, help="Matrices with adapters: q_proj,v_proj."
)
@click.option(
    "--states",
    type=click.Choice(["mixed", "bf16"]),
    default="mixed",
    show_default=True,
    help="16 or 8 bytes a weight that learns.",
)
@click.option("--batch-tokens", type=click.IntRange(min=1), default=65_536, show_default=True)
@click.option(
    "--scored",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="Share of tokens with loss.",
)
@click.option("--quantised-experts", is_flag=True, help="The loader puts experts into 4 bits, too.")
@click.option(
    "--tokens", type=click.FloatRange(min=1), help="Of the training, all passes. [default: 10 million]"
)
@click.option("--examples", type=click.IntRange(min=1), help="Instead of --tokens: rows of --seq tokens.")
@click.option("--epochs", type=click.FloatRange(min=0, min_open=True), default=3.0, show_default=True)
@click.option(
    "--mfu", type=click.FloatRange(0, 1, min_open=True), help="Share of the GPU's peak. [default: 0.4]"
)
@click.option("--provider", "providers", multiple=True, metavar="NAME", help="Rent from these only.")
@click.option("--hours-per-month", type=click.FloatRange(min=0), default=160.0, show_default=True)
@click.option(
    "--sequences", type=click.IntRange(min=1), default=8, show_default=True, help="Answered at a time."
)
@click.option("--length", type=click.IntRange(min=1), help="Of an answered sequence. [default: --seq]")
@click.option("--prices", "price_file", type=click.Path(path_type=Path), help="Another recipes/prices.yaml.")
@json_option
def size(
    model: str | None,
    changes: tuple[str, ...],
    method: str | None,
    gpu: str | None,
    gpus: int | None,
    zero: int | None,
    seq: int,
    micro_batch: int | None,
    checkpointing: bool | None,
    offload: str | None,
    rank: int,
    targets: str,
    states: Any,
    batch_tokens: int,
    scored: float,
    quantised_experts: bool,
    tokens: float | None,
    examples: int | None,
    epochs: float,
    mfu: float | None,
    providers: tuple[str, ...],
    hours_per_month: float,
    sequences: int,
    length: int | None,
    price_file: Path | None,
    as_json: bool,
) -> None:
    """Say what a fine-tuning takes: memory a GPU by parts, time, cost by provider, rent or buy.

    With --method it is reckoned as given; without, all that is not given is tried, and the cheapest plan that fits is
    shown. A plan that does not fit is no error: the answer says so, and what fits instead. docs/sizing.md says how all
    is reckoned.
    """
    from preceptor.planning import MFU, Plan, Question, decide, document, find_subject, gpu_named, load_prices

    if tokens and examples:
        raise UsageError("Give --tokens, or --examples (and --epochs), not both.")
    prices = load_prices(price_file) if price_file else load_prices()
    subject = find_subject(model or settings().base_model, set_values(changes), workspace())
    of_all = tokens or (examples * seq * epochs if examples else 10e6)
    options = {
        "method": method,
        "gpus": gpus,
        "zero": zero,
        "offload": offload,
        "checkpointing": checkpointing,
        "micro_batch": micro_batch,
    }
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    plan = Plan(
        **{"zero": _NEEDED[offload or "none"]} | given,
        seq=seq,
        batch_tokens=batch_tokens,
        rank=rank,
        targets=targets if targets == "all-linear" else tuple(targets.split(",")),
        states=states,
        scored=scored,
        quantised_experts=quantised_experts,
    )
    question = Question(subject.architecture, prices, of_all, mfu or MFU, providers)
    decision = decide(question, plan, gpu_named(gpu, prices) if gpu else None, given.keys())
    answer = document(subject, question, decision, hours_per_month, sequences, length or seq)
    emit(answer, as_json, lambda: said(answer))
