"""Rent or buy: from which month on a machine of one's own has cost less than renting."""

from __future__ import annotations

import math
from dataclasses import dataclass

from preceptor.planning.prices import Machine, Ownership, Prices


@dataclass(frozen=True, slots=True)
class Ownings:
    """US dollars. `running` a month, at the stated use. `month`: the first at whose end buying has cost less than renting,
    None if that never comes. `hours_to_pay`: the use a month from which it comes within the machine's life, None where
    there are not so many hours in a month."""

    machine: Machine
    running: float
    rent: float
    month: int | None
    hours_to_pay: float | None


def machine_for(prices: Prices, gpu: str, gpus: int) -> Machine | None:
    """The smallest machine of the file with so many of these GPUs; of two alike the cheaper."""
    found = [m for m in prices.buy if m.gpu == gpu and m.gpus >= gpus]
    return min(found, key=lambda m: (m.gpus, m.price is None, m.price or 0), default=None)


def rent_or_buy(machine: Machine, ownership: Ownership, per_hour: float, hours: float) -> Ownings | None:
    """Compare a machine with renting at `per_hour` dollars for `hours` a month. None if its price is not known."""
    if machine.price is None:
        return None
    kilowatts = machine.watts / 1000
    hour = kilowatts * ownership.pue * ownership.electricity_per_kwh
    fixed = kilowatts * ownership.hosting_per_kw_month
    running, rent = fixed + hour * hours, per_hour * hours
    month = math.floor(machine.price / (rent - running)) + 1 if rent > running else None
    needed = (machine.price / ownership.months + fixed) / (per_hour - hour) if per_hour > hour else math.inf
    return Ownings(machine, running, rent, month, needed if needed <= 730 else None)
