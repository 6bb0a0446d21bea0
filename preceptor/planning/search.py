"""The cheapest plan that fits, of all that could be tried; and why others do not fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

from preceptor.models import Architecture
from preceptor.planning.memory import Memory, memory
from preceptor.planning.plan import Offload, Plan
from preceptor.planning.prices import Prices, Rental, rentals
from preceptor.planning.speed import MFU, Effort, Speed, effort, speed
from preceptor.training.recipe import MethodName

# rsLoRA and PiSSA need what LoRA does; IA3 and prompt tuning are less than most want, and are tried where they are named.
METHODS: tuple[MethodName, ...] = ("full", "lora", "dora", "qlora")
_GPUS = (1, 2, 4, 8)
_MICRO_BATCHES = (1, 2, 4, 8, 16)
_OFFLOADS: tuple[Offload, ...] = ("none", "optimizer", "all")
_ROOM = 0.9  # of the memory; docs/sizing.md shows by how much published figures are missed
STARTING = (
    0.25  # hours that are paid beside the training, to start the machine and load the model: an assumption
)


@dataclass(frozen=True, slots=True)
class Sized:
    """A plan on a GPU: what it takes, whether it fits, how many hours the training takes, and what that costs with each
    provider (dollars, with `STARTING`; None where the price is not known; those whose machine has too little memory for what
    is offloaded are not there). `tight`: it fits, but by less than the reckoning may be wrong."""

    plan: Plan
    gpu: str
    memory: Memory
    fits: bool
    tight: bool
    speed: Speed
    hours: float
    costs: tuple[tuple[Rental, float | None], ...]

    @property
    def cost(self) -> float | None:
        """The least of the costs that are known."""
        return min((cost for _, cost in self.costs if cost is not None), default=None)


@dataclass(frozen=True, slots=True)
class Question:
    """What stays the same over the plans of a search. `tokens` are of the whole training, every pass counted."""

    architecture: Architecture
    prices: Prices
    tokens: float
    mfu: float = MFU
    providers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """What a search may choose between."""

    methods: Sequence[MethodName] = METHODS
    gpus: Sequence[str] = ()  # none: all of the price file
    counts: Sequence[int] = _GPUS
    zeros: Sequence[int] = (0, 1, 2, 3)
    offloads: Sequence[Offload] = _OFFLOADS
    checkpointing: Sequence[bool] = (False, True)
    micro_batches: Sequence[int] = _MICRO_BATCHES


@dataclass(frozen=True, slots=True)
class Found:
    """`best` of `tried` plans: the cheapest that fits, None if none does. `others`: for each method, GPU and number of them
    the cheapest that fits, or else the one that lacks least."""

    best: Sized | None
    tried: int
    others: tuple[Sized, ...]


def size(question: Question, plan: Plan, gpu: str) -> Sized:
    """Reckon one plan. Raises `UsageError` for targets that the model does not have."""
    offers = rentals(question.prices, gpu, plan.gpus, question.providers)
    needs, asks = memory(question.architecture, plan), effort(question.architecture, plan)
    return _sized(question, plan, gpu, needs, asks, offers)


def search(question: Question, like: Plan, choice: Choice) -> Found:
    """Try every plan that the trainer carries out; what `choice` leaves open varies, the rest is as in `like`. A step of all GPUs has at most `like.batch_tokens` tokens, unless one row each has more.

    Where no price is known, the plan that takes the least GPU hours counts as the cheapest.
    """
    tried = 0
    groups: dict[tuple[str, str, int], Sized] = {}
    offers = {
        (gpu, count): rentals(question.prices, gpu, count, question.providers)
        for gpu in choice.gpus or question.prices.gpus
        for count in choice.counts
    }
    for plan in _plans(like, choice):
        needs, asks = memory(question.architecture, plan), effort(question.architecture, plan)
        for gpu in choice.gpus or question.prices.gpus:
            sized = _sized(question, plan, gpu, needs, asks, offers[gpu, plan.gpus])
            tried += 1
            key = (plan.method, gpu, plan.gpus)
            if key not in groups or _order(sized) < _order(groups[key]):
                groups[key] = sized
    others = sorted(groups.values(), key=_order)
    best = others[0] if others and others[0].fits else None
    return Found(best, tried, tuple(others))


def _sized(
    question: Question, plan: Plan, gpu: str, needs: Memory, asks: Effort, offers: list[Rental]
) -> Sized:
    card = question.prices.gpus[gpu]
    rate = speed(asks, plan, card, question.mfu)
    hours = rate.hours(question.tokens)
    costs = tuple(
        (rental, None if rental.per_hour is None else rental.per_hour * (hours + STARTING))
        for rental in offers
        if not (needs.host and rental.host) or needs.host <= rental.host
    )
    fits, tight = needs.total <= card.memory, _ROOM * card.memory < needs.total <= card.memory
    return Sized(plan, gpu, needs, fits, tight, rate, hours, costs)


def _plans(like: Plan, choice: Choice) -> Iterator[Plan]:
    for method, gpus, zero, offload, checkpointing, rows in product(
        choice.methods,
        choice.counts,
        choice.zeros,
        choice.offloads,
        choice.checkpointing,
        choice.micro_batches,
    ):
        impossible = offload == "optimizer" and not zero or offload == "all" and zero != 3
        impossible = impossible or like.states == "bf16" and zero > 0
        too_large = rows > 1 and len(choice.micro_batches) > 1 and rows * gpus * like.seq > like.batch_tokens
        if impossible or too_large:
            continue
        plan = replace(
            like,
            method=method,
            gpus=gpus,
            zero=zero,
            offload=offload,
            checkpointing=checkpointing,
            micro_batch=rows,
        )
        if plan.refused is None:
            yield plan


def _order(sized: Sized) -> tuple[float, ...]:
    """The fitting before others, with room before tight; the cheap before the dear; of equals the plain, and that with the
    larger micro-batch."""
    plan = sized.plan
    lacking = 0.0 if sized.fits else float(sized.memory.total)
    priced = sized.cost is not None
    cost = sized.cost if sized.cost is not None else sized.hours * plan.gpus
    plain = (plan.gpus, plan.zero, _OFFLOADS.index(plan.offload), plan.checkpointing, -plan.micro_batch)
    return (
        not sized.fits,
        lacking,
        sized.tight,
        not priced,
        round(cost, 6),
        *plain,
    )
