"""Whether a model can be tuned and served on what a hospital has, or has to hire."""

from __future__ import annotations

from dataclasses import dataclass, replace

from preceptor.advice.needs import CPU, Needs
from preceptor.advice.running import Answering, answering
from preceptor.models import Architecture
from preceptor.planning import Plan, Prices, Question, Sized
from preceptor.planning.search import Choice, search

LONGEST = 168  # hours: a training that takes longer than a week is none that is repeated
EXAMPLES = 1000  # to tune with, where the number is not said
_EPOCHS = 3
_COUNTS = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True)
class Home:
    """`tuned`: the best plan of LoRA or QLoRA there, None where none fits; `answers`: how it answers, None likewise."""

    tuned: Sized | None
    answers: Answering | None


def tuning(
    architecture: Architecture, prices: Prices, needs: Needs, gpu: str | None, gpus: int, hire: bool = False
) -> Sized | None:
    """The best plan to tune a model with LoRA, or with QLoRA, on up to so many GPUs of a kind; without a kind on any that
    is for hire under a BAA (`hire`), or on the CPU. None if none fits.
    """
    load = needs.load
    tokens = float((needs.examples or EXAMPLES) * _EPOCHS * (load.prompt + load.answer))
    seq = load.prompt + load.answer
    like = Plan(seq=seq, batch_tokens=max(16 * seq, 16_384), scored=load.answer / seq)
    name = gpu or ("" if hire else "cpu")
    with_cpu = prices.model_copy(update={"gpus": {**prices.gpus, "cpu": CPU}})
    providers = tuple(n for n, p in prices.providers.items() if p.baa) if hire else ()
    question = Question(architecture, prices if hire else with_cpu, tokens, providers=providers)
    choice = Choice(
        methods=("lora",) if name == "cpu" else ("lora", "qlora"),
        gpus=(name,) if name else (),
        counts=tuple(n for n in _COUNTS if n <= gpus),
        zeros=(0, 3),
        offloads=("none",),
        checkpointing=(True,),
        micro_batches=(1,),
    )
    found = [one for one in search(question, like, choice).others if one.fits]
    if hire:
        found = [one for one in found if one.cost is not None]
        return min(found, key=lambda one: (one.tight, one.cost or 0.0), default=None)
    return min(found, key=lambda one: (one.tight, one.plan.method != "lora", one.hours), default=None)


def at_home(architecture: Architecture, prices: Prices, needs: Needs) -> Home:
    """What a model can do on the hospital's own hardware."""
    card = prices.gpus[needs.gpu] if needs.gpu else CPU
    gpus = needs.gpus if needs.gpu else 1
    return Home(
        tuned=tuning(architecture, prices, needs, needs.gpu, gpus),
        answers=answering(architecture, card, needs.load, gpus, needs.latency),
    )


def smallest(architecture: Architecture, prices: Prices, needs: Needs) -> str | None:
    """The GPUs with the least memory in all, of one kind and at most eight, that tune and serve a model as is needed."""
    kinds = sorted((n * card.memory, n, name) for name, card in prices.gpus.items() for n in _COUNTS)
    for _, count, name in kinds:
        there = at_home(architecture, prices, replace(needs, gpu=name, gpus=count))
        if trains(there.tuned, needs) and serves(there.answers, needs):
            return f"{count} x {name}"
    return None


def trains(tuned: Sized | None, needs: Needs) -> bool:
    """Whether that is enough to tune with, if tuning is needed."""
    return not needs.tunes or (tuned is not None and tuned.hours <= LONGEST)


def serves(how: Answering | None, needs: Needs) -> bool:
    """Whether that is enough to answer with, and soon enough."""
    if how is None or how.capacity < needs.load.answers:
        return False
    return needs.latency is None or how.seconds <= needs.latency
