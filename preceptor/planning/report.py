"""The answer as one document: what `preceptor size --json` prints, and the tables are made from."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from preceptor.planning.decision import Decision
from preceptor.planning.memory import held
from preceptor.planning.ownership import machine_for, rent_or_buy
from preceptor.planning.plan import Plan
from preceptor.planning.prices import Prices
from preceptor.planning.search import STARTING, Question, Sized
from preceptor.planning.serving import MBU, serving
from preceptor.planning.subject import Subject


def document(
    subject: Subject,
    question: Question,
    decision: Decision,
    hours_per_month: float,
    sequences: int,
    length: int,
) -> dict[str, Any]:
    """All about one plan, in bytes, hours and US dollars; `sequences` of `length` tokens are what the trained model is to
    answer at a time."""
    architecture, prices = subject.architecture, question.prices
    sized, found, instead = decision.sized, decision.found, decision.instead
    card = prices.gpus[sized.gpu]
    return {
        "model": {
            "name": subject.name,
            "parameters": architecture.parameters,
            "active_parameters": architecture.active,
            "context": subject.context,
            "architecture": architecture.model_dump(mode="json"),
        },
        "gpu": {"name": sized.gpu, **card.model_dump(mode="json"), "memory": card.memory},
        "plan": {
            **asdict(sized.plan),
            "gpu": sized.gpu,
            "accumulation": sized.plan.accumulation,
            "said": plan_line(sized.plan, sized.gpu),
        },
        "memory": {**sized.memory.parts, "total": sized.memory.total, "host": sized.memory.host},
        "fits": sized.fits,
        "tight": sized.tight,
        "speed": {
            "tokens_per_second": sized.speed.tokens_per_second,
            "bound": sized.speed.bound,
            "operations_per_token": sized.speed.operations,
            "mfu_assumed": question.mfu,
        },
        "tokens": question.tokens,
        "hours": sized.hours,
        "starting_hours": STARTING,
        "cost": sized.cost,
        "costs": costs(sized, prices),
        "rent_or_buy": _rent_or_buy(sized, prices, hours_per_month),
        "serving": _serving(subject, question, sized, sequences, length),
        "notes": notes(subject, sized),
        "instead": [summary(other, prices) for other in instead],
        "search": None
        if found is None
        else {"tried": found.tried, "others": [summary(other, prices) for other in found.others]},
    }


def costs(sized: Sized, prices: Prices) -> list[dict[str, Any]]:
    """What each provider takes for the training, the cheapest first; None where its price is not known."""
    return [
        {
            "provider": rental.instance.provider,
            "title": prices.providers[rental.instance.provider].title,
            "baa": prices.providers[rental.instance.provider].baa,
            "machine": rental.instance.name,
            "machines": rental.machines,
            "per_hour": rental.per_hour,
            "cost": cost,
            "as_of": rental.instance.as_of.isoformat(),
            "certain": rental.instance.certain,
            "source": prices.providers[rental.instance.provider].source,
        }
        for rental, cost in sized.costs
    ]


def summary(sized: Sized, prices: Prices) -> dict[str, Any]:
    """A plan in one row; `why` says what is against it, None where nothing is."""
    plan, has = sized.plan, prices.gpus[sized.gpu].memory
    why = plan.refused
    if not sized.fits:
        why = f"needs {sized.memory.total / 2**30:,.1f} GiB a GPU and has {has / 2**30:,.1f}"
    elif sized.tight and why is None:
        why = "fits, but barely"
    cheapest = next((rental for rental, cost in sized.costs if cost is not None), None)
    return {
        "method": plan.method,
        "gpu": sized.gpu,
        "gpus": plan.gpus,
        "zero": plan.zero,
        "offload": plan.offload,
        "checkpointing": plan.checkpointing,
        "micro_batch": plan.micro_batch,
        "fits": sized.fits,
        "tight": sized.tight,
        "total": sized.memory.total,
        "host": sized.memory.host,
        "tokens_per_second": sized.speed.tokens_per_second,
        "hours": sized.hours,
        "cost": sized.cost,
        "provider": cheapest.instance.provider if cheapest else None,
        "why": why,
    }


def notes(subject: Subject, sized: Sized) -> list[str]:
    """What a reader of the numbers should know about this plan."""
    plan, a = sized.plan, subject.architecture
    said = [
        "Speed, hours and cost rest on an assumed share of the GPU's peak (--mfu): measure a short run before you order."
    ]
    if sized.tight:
        said.append(
            "It fits, but barely: docs/sizing.md shows by how much the reckoning misses published figures."
        )
    if plan.refused:
        said.append(f"The trainer does not run this plan yet: {plan.refused}.")
    if subject.context and plan.seq > subject.context:
        said.append(
            f"The model was made for {subject.context:,} tokens at most, and {plan.seq:,} are asked for."
        )
    if plan.states == "mixed" and plan.method == "full" and not plan.zero:
        said.append(
            "16 bytes a weight, as DeepSpeed keeps them. Without ZeRO the trainer keeps 8, all in bf16: --states bf16."
        )
    if a.experts and plan.method == "qlora" and not plan.quantised_experts:
        whole, packed = (held(a, True, experts) / 2**30 for experts in (False, True))
        said.append(
            "Transformers 5 holds experts in one tensor, which bitsandbytes leaves in 16 bits: the weights take "
            f"{whole:,.1f} GiB. A loader that quantises them needs {packed:,.1f} (--quantised-experts)."
        )
    if plan.method == "dora":
        said.append("DoRA measures its matrices in every step; the time for that is not counted.")
    if plan.gpus > 8:
        said.append("More than eight GPUs are of several machines; the network between them is not counted.")
    if a.beside and plan.method == "full":
        said.append(
            f"{a.beside / 1e6:,.0f} million weights beside the language model are counted as if they learned."
        )
    return said


def _rent_or_buy(sized: Sized, prices: Prices, hours: float) -> dict[str, Any] | None:
    machine = machine_for(prices, sized.gpu, sized.plan.gpus)
    priced = [rental for rental, _ in sized.costs if rental.per_hour is not None]
    if machine is None or not priced:
        return None
    rental = priced[0]
    owned = rent_or_buy(machine, prices.ownership, rental.per_hour or 0, hours)
    return {
        "machine": machine.name,
        "price": machine.price,
        "as_of": machine.as_of.isoformat(),
        "certain": machine.certain,
        "source": machine.source,
        "rented": f"{rental.instance.provider} {rental.instance.name}",
        "hours_per_month": hours,
        "rent_per_month": (rental.per_hour or 0) * hours,
        "running_per_month": owned.running if owned else None,
        "cheaper_from_month": owned.month if owned else None,
        "hours_per_month_to_pay": owned.hours_to_pay if owned else None,
        "months": prices.ownership.months,
    }


def _serving(
    subject: Subject, question: Question, sized: Sized, sequences: int, length: int
) -> dict[str, Any]:
    card = question.prices.gpus[sized.gpu]
    found = serving(subject.architecture, card, sequences, length, quantised=sized.plan.method == "qlora")
    return {**asdict(found), "sequences": sequences, "length": length, "mbu_assumed": MBU}


def plan_line(plan: Plan, gpu: str) -> str:
    """A plan in words."""
    rank = f" of rank {plan.rank}" if plan.method in ("lora", "rslora", "dora", "pissa", "qlora") else ""
    rows = "1 row" if plan.micro_batch == 1 else f"{plan.micro_batch} rows"
    return (
        f"{plan.method}{rank} on {plan.gpus} x {gpu}, ZeRO {plan.zero}, offload {plan.offload}, activation checkpointing "
        f"{'on' if plan.checkpointing else 'off'}, {rows} of {plan.seq:,} tokens"
    )
