"""What GPUs are, and what they cost: recipes/prices.yaml, dated, for users to mend."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from preceptor.errors import UsageError
from preceptor.settings import ROOT, read_as

PRICES = ROOT / "recipes" / "prices.yaml"
_MIB, _GIB = 2**20, 2**30
_MACHINE = 8  # GPUs that a machine may have


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Told(_Section):
    """Where a price was read, and as of when; `certain` is false for one read in one place only, or from memory."""

    as_of: date
    certain: bool
    source: str


class Gpu(_Section):
    """`memory_mib` as nvidia-smi tells it, `bf16_tflops` dense with sums in fp32. `link_gb_s` is between GPUs of a machine,
    `host_gb_s` to its memory, both in one direction."""

    memory_mib: int = Field(gt=0)
    bf16_tflops: float = Field(gt=0)
    bandwidth_gb_s: float = Field(gt=0)
    link_gb_s: float = Field(gt=0)
    host_gb_s: float = Field(gt=0)
    watts: int = Field(gt=0)
    source: str
    certain: bool

    @property
    def memory(self) -> int:
        """Bytes."""
        return self.memory_mib * _MIB


class Provider(_Section):
    """`baa`: whether it signs a business associate agreement for these machines; null: not known."""

    title: str
    baa: bool | None
    source: str
    as_of: date


class Instance(_Section):
    """A machine to rent by the hour, on demand. `per_hour` in US dollars for all of it, null where it is not known.

    `up_to`: rented GPU by GPU, so many in one machine; then `per_hour` and `host_gib` are of one GPU."""

    provider: str
    name: str
    gpu: str
    gpus: int = Field(ge=1)
    per_hour: float | None = Field(gt=0)
    up_to: int = Field(default=1, ge=1)
    host_gib: int | None = Field(default=None, gt=0)
    as_of: date
    certain: bool


class Machine(_Told):
    """A machine to buy. `price` in US dollars for all of it, null where it is not known; `watts` of all of it at work."""

    name: str
    gpu: str
    gpus: int = Field(ge=1)
    price: float | None = Field(gt=0)
    watts: int = Field(gt=0)


class Ownership(_Section):
    """What owning costs beside the machine. `pue`: what the building draws for each watt of the machine's. Hosting is of
    rack, cooling and hands, by the month and kilowatt of the machine. `months` that it is to last."""

    electricity_per_kwh: float = Field(ge=0)
    pue: float = Field(ge=1)
    hosting_per_kw_month: float = Field(ge=0)
    months: int = Field(ge=1)
    source: str
    as_of: date


class TokenPrice(_Told):
    """What a model costs as a service: US dollars a million tokens that it reads (`input`) and writes (`output`), at once and
    without a cache; null where it is not known. `model` and `provider` are names of recipes/api-models.yaml."""

    model: str
    provider: str
    input: float | None = Field(ge=0)
    output: float | None = Field(ge=0)


class FineTuning(_Told):
    """What a provider takes for fine-tuning a model of its own, in US dollars for a million tokens; null where it is not
    known. `training` for each token trained (examples times epochs), `input` and `output` for asking the tuned model."""

    provider: str
    model: str
    training: float | None = Field(gt=0)
    input: float | None = Field(gt=0)
    output: float | None = Field(gt=0)


class Prices(_Section):
    """The whole file."""

    gpus: dict[str, Gpu]
    providers: dict[str, Provider]
    rent: tuple[Instance, ...]
    buy: tuple[Machine, ...]
    ownership: Ownership
    api: tuple[TokenPrice, ...] = ()
    finetuning: tuple[FineTuning, ...] = ()

    @model_validator(mode="after")
    def _names_are_known(self) -> Prices:
        offers = [(o.name, o.gpu) for o in self.rent] + [(o.name, o.gpu) for o in self.buy]
        for name, gpu in offers:
            if gpu not in self.gpus:
                raise ValueError(f"{name}: gpu {gpu!r} is none of gpus")
        for instance in self.rent:
            if instance.provider not in self.providers:
                raise ValueError(f"{instance.name}: provider {instance.provider!r} is none of providers")
        return self


@dataclass(frozen=True, slots=True)
class Rental:
    """`machines` of one kind, which have GPUs enough. `per_hour` is of all of them, None where it is not known; `host` is
    bytes of memory of each, None likewise."""

    instance: Instance
    machines: int
    per_hour: float | None
    host: int | None


def load_prices(path: Path = PRICES) -> Prices:
    """Return the file. Raises `UsageError` naming key, file and line."""
    return read_as(path, Prices)


def gpu_named(name: str, prices: Prices) -> str:
    """The GPU that `name` means: its whole name, or a part that no other has. Raises `UsageError` naming those known."""
    wanted = name.lower().replace(" ", "-").replace("_", "-")
    found = [n for n in prices.gpus if n == wanted] or [n for n in prices.gpus if wanted in n]
    if len(found) != 1:
        what = (
            f"may be {' or '.join(found)}" if found else f"is not known; known are {', '.join(prices.gpus)}"
        )
        raise UsageError(f"--gpu {name} {what}. Others can be added to the price file.")
    return found[0]


def rentals(prices: Prices, gpu: str, gpus: int, providers: tuple[str, ...] = ()) -> list[Rental]:
    """What each provider (of `providers`, if any are named) takes for so many GPUs, the cheapest first, those whose price
    is not known last. Up to eight GPUs are of one machine; machines are rented whole.

    Raises `UsageError` for a provider that the file does not have.
    """
    if unknown := sorted(set(providers) - set(prices.providers)):
        known = ", ".join(prices.providers)
        raise UsageError(f"--provider {', '.join(unknown)}: the price file has {known}.")
    best: dict[str, Rental] = {}
    for instance in prices.rent:
        if instance.gpu != gpu or (providers and instance.provider not in providers):
            continue
        rental = _rented(instance, gpus)
        if rental.machines > 1 and gpus <= _MACHINE:
            continue
        if instance.provider not in best or _order(rental) < _order(best[instance.provider]):
            best[instance.provider] = rental
    return sorted(best.values(), key=_order)


def _rented(instance: Instance, gpus: int) -> Rental:
    machines = math.ceil(gpus / (instance.gpus * instance.up_to))
    sold = gpus if instance.up_to > 1 else machines  # GPUs or whole machines
    host = None if instance.host_gib is None else instance.host_gib * _GIB * sold // machines
    return Rental(instance, machines, None if instance.per_hour is None else sold * instance.per_hour, host)


def _order(rental: Rental) -> tuple[bool, float]:
    return rental.per_hour is None, rental.per_hour or 0
