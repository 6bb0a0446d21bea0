"""What answering takes and costs: a service by its tokens, a model of one's own by the hours of its machines.

Writing is bound by memory bandwidth (`preceptor.planning.serving`), reading the prompt by arithmetic: two operations a weight
and token (Kaplan et al. 2020). Tokens are taken to be the same number with every model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from preceptor.models import Architecture
from preceptor.planning.prices import Gpu, Prices, Rental, TokenPrice, rentals
from preceptor.planning.serving import serving
from preceptor.planning.speed import MFU

HOURS = 730  # of a month
PEAK = 4  # times the mean is asked for in the busiest hour: an assumption


@dataclass(frozen=True, slots=True)
class Workload:
    """`answers` a month; tokens of one `prompt` and one `answer`; how many are answered at a time; and how many hours a
    month the machine is on."""

    answers: float
    prompt: int
    answer: int
    at_once: int = 8
    hours: float = HOURS


@dataclass(frozen=True, slots=True)
class Answering:
    """A model on as many GPUs as it needs, in 16 bits or `quantised` to 4. `seconds`: of one answer while as many are
    written at a time as the workload says. `capacity`: answers a month, with room for the busiest hour."""

    gpus: int
    quantised: bool
    seconds: float
    capacity: float

    def copies(self, gpus: int) -> Answering:
        """The same with as many copies of the model as so many GPUs hold."""
        return replace(self, capacity=self.capacity * max(1, gpus // self.gpus))

    def machines(self, answers: float) -> int:
        """How many times all that is needed for so many answers a month."""
        return max(1, math.ceil(answers / self.capacity))


def answering(
    architecture: Architecture,
    gpu: Gpu,
    load: Workload,
    at_most: int | None = None,
    latency: float | None = None,
) -> Answering | None:
    """How a model answers on GPUs of one kind: in 16 bits, or in 4 where `at_most` so many would not hold it, or would take
    longer than `latency` seconds. None if they do not hold it in 4 bits either."""
    found = None
    for quantised in (False, True):
        needs = serving(architecture, gpu, load.at_once, load.prompt + load.answer, quantised)
        if at_most is not None and needs.gpus > at_most:
            continue
        reading = load.prompt * 2 * architecture.active / (needs.gpus * gpu.bf16_tflops * 1e12 * MFU)
        seconds = reading + load.answer * load.at_once / needs.tokens_per_second
        busy = reading + load.answer / needs.tokens_per_second
        found = Answering(needs.gpus, quantised, seconds, load.hours * 3600 / busy / PEAK)
        if latency is None or seconds <= latency:
            break
    return found


def service_month(price: TokenPrice, load: Workload) -> float | None:
    """Dollars a month; None where the price is not known."""
    each = per_answer(price, load)
    return None if each is None else load.answers * each


def per_answer(price: TokenPrice, load: Workload) -> float | None:
    """Dollars for one answer of a service; None where the price is not known."""
    if price.input is None or price.output is None:
        return None
    return (price.input * load.prompt + price.output * load.answer) / 1e6


@dataclass(frozen=True, slots=True)
class Rented:
    """Machines that answer, of one kind: `sets` of what is rented together, each at `one` dollars a month; `answering` is of one
    set, with as many copies of the model as it holds."""

    gpu: str
    rental: Rental
    answering: Answering
    sets: int
    one: float

    @property
    def month(self) -> float:
        """Dollars a month for all."""
        return self.sets * self.one


def rented(
    architecture: Architecture,
    prices: Prices,
    load: Workload,
    providers: tuple[str, ...],
    gpus: Sequence[str] = (),
    latency: float | None = None,
) -> Rented | None:
    """The cheapest machines for hire that hold the model, those that answer within `latency` seconds first; of `gpus`, if
    any are named. None where no price is known."""
    found = []
    for name in gpus or prices.gpus:
        how = answering(architecture, prices.gpus[name], load, latency=latency)
        if how is None:
            continue
        for rental in rentals(prices, name, how.gpus, providers):
            if rental.per_hour is not None:
                whole = rental.instance.up_to == 1  # rented with all its GPUs
                full = how.copies(rental.machines * rental.instance.gpus) if whole else how
                sets = full.machines(load.answers)
                found.append(Rented(name, rental, full, sets, rental.per_hour * load.hours))
    late = [latency is not None and r.answering.seconds > latency for r in found]
    best = min(zip(late, found, strict=True), key=lambda pair: (pair[0], pair[1].month), default=None)
    return best[1] if best else None


def signing(prices: Prices) -> tuple[str, ...]:
    """Those who rent machines and sign a business associate agreement, as far as the price file knows."""
    return tuple(name for name, provider in prices.providers.items() if provider.baa)


def electricity_month(watts: float, prices: Prices, hours: float) -> float:
    """Dollars a month for a machine that draws so much at work, with what the building adds."""
    owning = prices.ownership
    return watts / 1000 * owning.pue * owning.electricity_per_kwh * hours
