"""A service by the token, or a model of one's own on hired or bought machines: control, terms, and what a year costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from preceptor.advice.checks import dollars
from preceptor.advice.needs import Deployment
from preceptor.advice.running import (
    Answering,
    Workload,
    answering,
    per_answer,
    rented,
    service_month,
)
from preceptor.models import Apis, Architecture
from preceptor.planning import Prices
from preceptor.planning.ownership import machine_for
from preceptor.planning.prices import Machine, TokenPrice

Kind = Literal["service", "rented", "owned"]

CONTROL = {
    "service": "The provider decides which version answers, for how long, and what is refused; Preceptor cannot tune it.",
    "rented": "The weights are yours: tuned by Preceptor, of a version that stays; the machine is the provider's.",
    "owned": "The weights and the machine are yours: tuned by Preceptor, of a version that stays, with nobody else at it.",
}
_LEAVES = {
    "service": "Prompts go to the provider.",
    "rented": "Prompts go to a machine that you hire and lock.",
    "owned": "Prompts stay in the house.",
}
# Of the larger cost: nearer than that the reckoning decides nothing.
_CLOSE, _UNCERTAIN = 0.2, 0.5


@dataclass(frozen=True, slots=True)
class Offer:
    """One way of getting answers. Dollars; None where they are not known. `baa` None: not known; an owned machine needs none.
    `capacity` in answers a month, of one of `sets`. `break_even`, by service: answers a month from which it costs more than one
    set; None where the machines are busy before. `told`: the BAA was not read where it is published."""

    name: str
    kind: Kind
    baa: bool | None
    terms: str
    month: float | None
    year: float | None
    capacity: float | None
    sets: int | None
    break_even: dict[str, float | None]
    told: bool
    as_of: str
    certain: bool
    source: str
    numbers: str

    @property
    def control(self) -> str:
        """Who decides what."""
        return CONTROL[self.kind]

    @property
    def deployment(self) -> str:
        """Where prompts go."""
        return _LEAVES[self.kind]

    def allowed(self, deployment: Deployment) -> bool:
        """Whether it may see patients' data where models are to run as said."""
        if self.kind == "owned":
            return deployment != "cloud-baa"
        return deployment != "on-premises" and bool(self.baa)


@dataclass(frozen=True, slots=True)
class Offers:
    """`all` of them, those that may be used first, the cheapest first among them, the unpriced last. `best` is the cheapest that
    may be used, None if none has a price. `sure`: whether the next of another kind is far enough away. `changes`: what would
    change the answer."""

    all: tuple[Offer, ...]
    best: Offer | None
    sure: bool
    why: tuple[str, ...]
    changes: tuple[str, ...]
    deployment: Deployment


def compare(
    name: str,
    architecture: Architecture,
    prices: Prices,
    apis: Apis,
    load: Workload,
    deployment: Deployment,
    gpus: Sequence[str] = (),
) -> Offers:
    """Compare every priced or known service with the model `name` on machines for hire and to buy, of `gpus` if any are
    named."""
    services = [_service(price, apis, load) for price in prices.api]
    each = {
        _named(price, apis): cost for price in prices.api if (cost := per_answer(price, load)) is not None
    }
    own = _rented(name, architecture, prices, load, gpus, each)
    own += _owned(name, architecture, prices, load, gpus, each)
    offers = sorted(
        [*services, *own],
        key=lambda one: (not one.allowed(deployment), one.month is None, one.month or 0.0, one.name),
    )
    usable = [one for one in offers if one.allowed(deployment) and one.month is not None]
    best = usable[0] if usable else None
    other = next(
        (one for one in usable if best and (one.kind == "service") != (best.kind == "service")), None
    )
    sure = bool(best and other and _apart(best, other))
    why, changes = _said(best, other, offers, load, deployment)
    return Offers(tuple(offers), best, sure, tuple(why), tuple(changes), deployment)


def document(found: Offers, model: str, load: Workload) -> dict[str, Any]:
    """All of it as one JSON-able document."""

    def row(offer: Offer) -> dict[str, Any]:
        return {
            **asdict(offer),
            "control": offer.control,
            "deployment": offer.deployment,
            "allowed": offer.allowed(found.deployment),
        }

    return {
        "model": model,
        "workload": asdict(load),
        "deployment": found.deployment,
        "best": found.best.name if found.best else None,
        "sure": found.sure,
        "why": list(found.why),
        "changes": list(found.changes),
        "offers": [row(offer) for offer in found.all],
    }


def break_even(fixed: float, capacity: float, each: float) -> float | None:
    """Answers a month from which machines that cost `fixed` dollars a month are cheaper than a service at `each` dollars an
    answer; None if they are busy before, which more machines do not change."""
    return fixed / each if each and fixed / each <= capacity else None


def _service(price: TokenPrice, apis: Apis, load: Workload) -> Offer:
    provider = apis.providers[price.provider]
    month = service_month(price, load)
    numbers = "no price is known"
    if month is not None:
        numbers = (
            f"{load.prompt:,} tokens at ${price.input:g} and {load.answer:,} at ${price.output:g} a million: "
            f"${per_answer(price, load):.4f} an answer"
        )
    return Offer(
        name=_named(price, apis),
        kind="service",
        baa=provider.baa,
        terms=provider.terms,
        month=month,
        year=None if month is None else 12 * month,
        capacity=None,
        sets=None,
        break_even={},
        told=not provider.certain,
        as_of=price.as_of.isoformat(),
        certain=price.certain,
        source=price.source,
        numbers=numbers,
    )


def _rented(
    name: str,
    architecture: Architecture,
    prices: Prices,
    load: Workload,
    gpus: Sequence[str],
    each: dict[str, float],
) -> list[Offer]:
    found = []
    for provider in prices.providers:
        rent = rented(architecture, prices, load, (provider,), gpus)
        if rent is None:
            continue
        lessor, what = prices.providers[provider], rent.rental.instance
        found.append(
            Offer(
                name=f"{name} on {rent.sets} x {provider} {what.name}",
                kind="rented",
                baa=lessor.baa,
                terms=f"By the hour, from {lessor.title}.",
                month=rent.month,
                year=12 * rent.month,
                capacity=rent.answering.capacity,
                sets=rent.sets,
                break_even={
                    who: break_even(rent.one, rent.answering.capacity, cost) for who, cost in each.items()
                },
                told=False,
                as_of=what.as_of.isoformat(),
                certain=what.certain,
                source=lessor.source,
                numbers=f"{rent.answering.gpus} x {rent.gpu} hold it ({_bits(rent.answering)}); ${rent.rental.per_hour:g} an hour, "
                f"{load.hours:,.0f} hours a month; {rent.answering.capacity:,.0f} answers a month at most",
            )
        )
    return found


def _owned(
    name: str,
    architecture: Architecture,
    prices: Prices,
    load: Workload,
    gpus: Sequence[str],
    each: dict[str, float],
) -> list[Offer]:
    found = []
    for gpu in gpus or prices.gpus:
        how = answering(architecture, prices.gpus[gpu], load)
        machine = machine_for(prices, gpu, how.gpus) if how else None
        if how is None or machine is None:
            continue
        how = how.copies(machine.gpus)
        sets = how.machines(load.answers)
        price = owning(machine, prices, load.hours)
        month = None if price is None else sets * price
        numbers = f"{how.gpus} x {gpu} hold it ({_bits(how)}); {how.capacity:,.0f} answers a month at most; "
        if machine.price is None:
            numbers += "no price is known"
        else:
            numbers += (
                f"{dollars(machine.price)} over {prices.ownership.months} months, with hosting and electricity "
                f"{dollars(price or 0)} a month"
            )
        found.append(
            Offer(
                name=f"{name} on {sets} x {machine.name}",
                kind="owned",
                baa=None,
                terms="No agreement is needed: nobody else sees the data.",
                month=month,
                year=None if month is None else 12 * month,
                capacity=how.capacity,
                sets=sets,
                break_even={}
                if price is None
                else {who: break_even(price, how.capacity, cost) for who, cost in each.items()},
                told=False,
                as_of=machine.as_of.isoformat(),
                certain=machine.certain,
                source=machine.source,
                numbers=numbers,
            )
        )
    return found


def owning(machine: Machine, prices: Prices, hours: float) -> float | None:
    """Dollars a month for a machine of one's own: its price over its life, hosting, and electricity while it is on. None if
    its price is not known."""
    if machine.price is None:
        return None
    owned, kilowatts = prices.ownership, machine.watts / 1000
    electricity = kilowatts * owned.pue * owned.electricity_per_kwh * hours
    return machine.price / owned.months + kilowatts * owned.hosting_per_kw_month + electricity


def _named(price: TokenPrice, apis: Apis) -> str:
    return f"{price.model} ({apis.providers[price.provider].title})"


def _bits(how: Answering) -> str:
    return "4 bits" if how.quantised else "16 bits"


def _apart(one: Offer, other: Offer) -> bool:
    """Whether the costs are further from each other than they may be wrong: a fifth, or half where a price is not certain."""
    assert one.month is not None and other.month is not None
    wrong = _CLOSE if one.certain and other.certain else _UNCERTAIN
    return abs(one.month - other.month) > wrong * max(one.month, other.month)


def _turns(own: Offer) -> list[str]:
    """From which volume machines are cheaper than each service."""
    turns = sorted((volume, who) for who, volume in own.break_even.items() if volume is not None)
    never = [who for who, volume in own.break_even.items() if volume is None]
    said = []
    if turns:
        listed = ", ".join(f"{volume:,.0f} ({who})" for volume, who in turns)
        said.append(f"{own.name} is cheaper from so many answers a month: {listed}.")
    if never:
        said.append(
            f"It is busy, at {own.capacity:,.0f} a month, before it is cheaper than {', '.join(never)}."
        )
    return said


def _said(
    best: Offer | None, other: Offer | None, offers: Sequence[Offer], load: Workload, deployment: Deployment
) -> tuple[list[str], list[str]]:
    if best is None:
        return ["Nothing that may be used here has a known price."], [
            "A price in the price file (--prices), or a signed BAA."
        ]
    why = [f"{best.name}: {dollars(best.month or 0)} a month for {load.answers:,.0f} answers. {best.control}"]
    changes = []
    if other is not None:
        why.append(f"The nearest of the other kind, {other.name}: {dollars(other.month or 0)} a month.")
        if not _apart(best, other):
            why.append("They are too near to each other: prices and speeds are not known so exactly.")
    own = next(
        (one for one in offers if one.kind != "service" and one.break_even and one.allowed(deployment)), None
    )
    if own is not None:
        changes += _turns(own)
    if best.told:
        changes.append(
            f"Whether and for what a BAA is to be had was not read where it is published: ask before {best.name}."
        )
    if not best.certain:
        changes.append(f"Its price is of {best.as_of} and not certain: {best.source}.")
    unpriced = [one.name for one in offers if one.month is None and one.allowed(deployment)]
    if unpriced:
        changes.append(f"No price is known of {', '.join(unpriced)}: it may be cheaper.")
    unsigned = [
        one.name for one in offers if one.kind != "owned" and one.baa is None and one.month is not None
    ]
    if unsigned and deployment != "on-premises":
        changes.append(f"Whether a BAA is to be had is not known of {', '.join(unsigned)}: ask.")
    changes.append(
        "Prices say nothing of quality: `preceptor evaluate` does, and a tuned model is the one it measures."
    )
    return why, changes
