"""A service by the token against machines: what a year costs, and from which volume it turns."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from preceptor.advice.provider import break_even, compare, owning
from preceptor.advice.running import PEAK, Workload, answering, per_answer
from preceptor.models import Architecture
from preceptor.models.apis import Apis
from preceptor.planning.prices import TokenPrice, load_prices

MODEL = Architecture(layers=16, hidden=2048, intermediate=8192, heads=32, kv_heads=8, vocab=32_000)
APIS = Apis(
    providers={
        "signs": {"title": "Signs", "baa": True, "source": "x", "as_of": "2026-01-01"},
        "maybe": {"title": "Maybe", "baa": None, "source": "x", "as_of": "2026-01-01"},
    },
    models={
        "large": {
            "maker": "x",
            "providers": ["signs", "maybe"],
            "card": {"source": "x", "as_of": "2026-01-01"},
        }
    },
)


def price(provider="signs", each_in=2.0, each_out=8.0, certain=True):
    return TokenPrice(
        model="large",
        provider=provider,
        input=each_in,
        output=each_out,
        as_of=date(2026, 1, 1),
        certain=certain,
        source="x",
    )


def priced(*prices):
    told = load_prices(Path(__file__).parents[1] / "planning" / "prices.yaml")
    return told.model_copy(update={"api": prices or (price(),)})


def load(answers=1000, **more):
    return Workload(answers, 1000, 500, **more)


def asked(answers=1000, prices=None, deployment="hybrid", gpus=("small",)):
    return compare("ours", MODEL, prices or priced(), APIS, load(answers), deployment, gpus)


def offer(found, name):
    return next(one for one in found.all if name in one.name)


def test_a_service_by_hand():
    # 1,000 tokens at 2 $ and 500 at 8 $ a million: 0.6 cents an answer.
    assert per_answer(price(), load()) == pytest.approx(0.006)
    assert offer(asked(50_000), "large").year == pytest.approx(12 * 50_000 * 0.006)


def test_a_machine_of_ones_own_by_hand():
    # 5,000 $ over 20 months, 0.5 kW at 100 $ for the rack, and 0.5 kW x 1.5 x 0.10 $ x 730 hours.
    prices = priced()
    assert owning(prices.buy[0], prices, 730) == pytest.approx(250 + 50 + 54.75)
    assert offer(asked(), "desk").month == pytest.approx(354.75)
    assert owning(prices.buy[3], prices, 730) is None


def test_break_even_by_hand():
    turn = offer(asked(), "desk").break_even["large (Signs)"]
    assert turn == pytest.approx(354.75 / 0.006)  # 59,125 answers a month
    assert break_even(354.75, 60_000, 0.006) == pytest.approx(59_125)
    assert break_even(354.75, 59_000, 0.006) is None  # busy before
    assert break_even(354.75, 60_000, 0.0) is None


def test_the_answer_turns_at_the_break_even():
    turn = offer(asked(), "desk").break_even["large (Signs)"]
    assert asked(0.95 * turn).best.kind == "service"
    assert asked(1.05 * turn).best.kind == "owned"


def test_near_the_break_even_it_is_not_sure_and_far_from_it_it_is():
    turn = offer(asked(), "desk").break_even["large (Signs)"]
    assert not asked(1.05 * turn).sure
    assert asked(turn / 10).sure
    assert any("too near to each other" in said for said in asked(1.05 * turn).why)


def test_a_price_that_is_not_certain_has_to_be_further_away():
    turn = 354.75 / 0.006
    assert asked(0.7 * turn).sure
    assert not asked(0.7 * turn, priced(price(certain=False))).sure


def test_what_is_said_would_change_it_names_the_volume():
    assert any(
        "desk is cheaper from so many answers a month: 59,125 (large (Signs))" in s for s in asked().changes
    )


def test_a_price_that_nobody_knows_is_none_and_never_the_best():
    found = asked(prices=priced(price(each_in=None)))
    assert offer(found, "large").month is None and found.best.kind != "service"
    assert any("No price is known of large (Signs)" in said for said in found.changes)


def test_who_is_not_known_to_sign_a_baa_may_not_be_used():
    found = asked(prices=priced(price("maybe", 0.001, 0.001)))
    assert not offer(found, "Maybe").allowed("hybrid") and found.best.kind != "service"
    assert any("Whether a BAA is to be had is not known of" in said for said in found.changes)


def test_where_models_may_run_decides_what_may_be_used():
    assert asked(10, deployment="on-premises").best.kind == "owned"
    assert asked(200_000, deployment="cloud-baa").best.kind != "owned"


def test_a_machine_that_is_rented_whole_answers_with_all_its_gpus():
    one = answering(MODEL, priced().gpus["large-80"], load())
    rented = compare("ours", MODEL, priced(), APIS, load(), "hybrid", ("large-80",))
    assert offer(rented, "east l8").capacity == pytest.approx(8 * one.capacity)
    assert offer(rented, "west pods").capacity == pytest.approx(one.capacity)


def test_more_answers_than_a_machine_gives_need_more_machines():
    one = offer(asked(), "desk")
    assert offer(asked(2.5 * one.capacity), "desk").sets == 3
    assert offer(asked(2.5 * one.capacity), "desk").month == pytest.approx(3 * one.month)


def test_an_answer_takes_reading_and_writing():
    small = priced().gpus["small"]
    short, long = (answering(MODEL, small, Workload(1, prompt, 500)) for prompt in (1, 10_001))
    reading = 10_000 * 2 * MODEL.active / (small.bf16_tflops * 1e12 * 0.4)
    assert long.seconds - short.seconds > reading
    assert short.capacity == pytest.approx(8 * 730 * 3600 / short.seconds / PEAK, rel=0.02)


def test_hours_that_a_machine_is_off_are_not_paid_and_give_no_answers():
    day = compare("ours", MODEL, priced(), APIS, load(hours=365), "hybrid", ("small",))
    assert offer(day, "s1").month == pytest.approx(offer(asked(), "s1").month / 2)
    assert offer(day, "s1").capacity == pytest.approx(offer(asked(), "s1").capacity / 2)
