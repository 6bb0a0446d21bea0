"""The price file, what it costs to rent, and when to buy."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
import yaml

from preceptor.errors import UsageError
from preceptor.planning.ownership import machine_for, rent_or_buy
from preceptor.planning.prices import gpu_named, load_prices, rentals

SHIPPED = load_prices()
OURS = Path(__file__).with_name("prices.yaml")
PRICES = load_prices(OURS)


@pytest.fixture
def mended(tmp_path):
    def write(change):
        told = yaml.safe_load(OURS.read_text())
        change(told)
        path = tmp_path / "prices.yaml"
        path.write_text(yaml.safe_dump(told))
        return path

    return write


def test_every_figure_has_a_source_and_a_date():
    assert all(gpu.source for gpu in SHIPPED.gpus.values())
    assert all(provider.source for provider in SHIPPED.providers.values())
    assert all(date(2020, 1, 1) < offer.as_of for offer in (*SHIPPED.rent, *SHIPPED.buy))
    assert all(machine.source for machine in SHIPPED.buy)


def test_an_unknown_price_is_never_certain():
    unknown = [o for o in SHIPPED.rent if o.per_hour is None] + [m for m in SHIPPED.buy if m.price is None]
    assert not any(offer.certain for offer in unknown)


@pytest.mark.parametrize(
    ("name", "meant"),
    [("small", "small"), ("80", "large-80"), ("Large 40", "large-40"), ("LARGE_80", "large-80")],
)
def test_a_gpu_is_known_by_its_name_or_a_part_that_no_other_has(name, meant):
    assert gpu_named(name, PRICES) == meant


def test_a_whole_name_is_meant_before_a_part():
    assert gpu_named("h100", SHIPPED) == "h100"  # not h100-nvl


@pytest.mark.parametrize(
    ("name", "said"), [("large", "large-80 or large-40"), ("v100", "known are small, large-80")]
)
def test_a_gpu_that_may_be_several_or_none_is_a_usage_error(name, said):
    with pytest.raises(UsageError, match=said):
        gpu_named(name, PRICES)


def offered(gpu, gpus, providers=()):
    return [(r.instance.name, r.machines, r.per_hour) for r in rentals(PRICES, gpu, gpus, providers)]


def test_the_cheapest_comes_first_and_the_unknown_last():
    assert offered("large-80", 8) == [("pods", 1, 24.0), ("l8", 1, 56.0), ("l8", 1, None)]


def test_machines_are_rented_whole_and_gpus_are_of_one_machine():
    # East's eight for four, West's four one by one; North's single ones cannot be put together.
    assert offered("large-80", 4) == [("pods", 1, 12.0), ("l8", 1, 56.0), ("l8", 1, None)]
    assert offered("large-80", 1) == [("l1", 1, 2.5), ("pods", 1, 3.0), ("l8", 1, 56.0)]
    assert [r.host for r in rentals(PRICES, "large-80", 4)] == [400 * 2**30, 2000 * 2**30, None]


def test_more_than_eight_gpus_are_of_several_machines():
    assert offered("large-80", 16, ("east",)) == [("l8", 2, 112.0)]


def test_only_the_providers_that_are_named():
    assert offered("large-80", 8, ("east",)) == [("l8", 1, 56.0)]
    with pytest.raises(UsageError, match="the price file has east, west"):
        rentals(PRICES, "large-80", 8, ("ibm",))


def test_a_mistake_is_named_with_its_place(mended):
    path = mended(lambda told: told["gpus"]["small"].update(memory_mib=-1))
    with pytest.raises(UsageError, match=r"prices.yaml, line \d+: gpus.small.memory_mib"):
        load_prices(path)
    path = mended(lambda told: told["rent"][0].update(gpu="l5"))
    with pytest.raises(UsageError, match="'l5' is none of gpus"):
        load_prices(path)
    path = mended(lambda told: told["rent"][0].update(provider="ibm"))
    with pytest.raises(UsageError, match="'ibm' is none of providers"):
        load_prices(path)


MACHINE, OWNING = PRICES.buy[1].model_copy(update={"price": 100_000}), PRICES.ownership


def test_rent_or_buy_by_hand():
    # An hour takes 10 kW x 1.5 x 0.10 $ = 1.50 $, the rack 1,000 $ a month.
    found = rent_or_buy(MACHINE, OWNING, per_hour=31.5, hours=200)
    assert (found.running, found.rent) == (1300, 6300)
    assert found.month == 21  # 100,000 / (6,300 - 1,300) = 20 months to break even
    # 5,000 $ a month of the price and 1,000 $ for the rack, at 30 $ an hour saved.
    assert found.hours_to_pay == pytest.approx(200)


def test_little_use_never_pays():
    found = rent_or_buy(MACHINE, OWNING, per_hour=31.5, hours=30)
    assert found.month is None
    cheap = rent_or_buy(MACHINE, OWNING, per_hour=5.0, hours=700)
    assert cheap.hours_to_pay is None
    assert rent_or_buy(MACHINE, OWNING, per_hour=1.0, hours=700).hours_to_pay is None


def test_more_use_pays_sooner():
    months = [
        rent_or_buy(MACHINE, OWNING, per_hour=31.5, hours=hours).month for hours in (100, 200, 400, 730)
    ]
    assert months == sorted(months, reverse=True)


def test_an_unknown_price_gives_no_answer():
    unknown = MACHINE.model_copy(update={"price": None})
    assert rent_or_buy(unknown, OWNING, per_hour=31.5, hours=200) is None


def test_the_smallest_machine_that_has_the_gpus_and_of_two_the_cheaper():
    assert machine_for(PRICES, "large-80", 1).name == "rack"
    assert machine_for(PRICES, "small", 1).name == "desk"
    assert machine_for(PRICES, "small", 2) is None
