"""The cheapest plan that fits, and what is said where none does."""

from __future__ import annotations

from pathlib import Path

import pytest

from preceptor.errors import UsageError
from preceptor.models import load_catalogue
from preceptor.planning.decision import decide
from preceptor.planning.plan import Plan
from preceptor.planning.prices import load_prices
from preceptor.planning.search import STARTING, Choice, Question, search, size

CATALOGUE = {name: entry.architecture for name, entry in load_catalogue().items()}
PRICES = load_prices(Path(__file__).with_name("prices.yaml"))


def asked(model="llama-3.1-8b-instruct", tokens=10e6, **more):
    return Question(CATALOGUE[model], PRICES, tokens, **more)


@pytest.fixture(scope="module")
def of_all():
    return search(asked(), Plan(), Choice())


def test_nothing_that_fits_with_room_is_cheaper(of_all):
    best = of_all.best
    assert best.fits and not best.tight and best.plan.refused is None
    rivals = [
        o for o in of_all.others if o.fits and not o.tight and o.plan.refused is None and o.cost is not None
    ]
    assert best.cost == min(o.cost for o in rivals)
    assert of_all.tried > 1000


def test_each_method_gpu_and_count_has_one_row(of_all):
    keys = [(o.plan.method, o.gpu, o.plan.gpus) for o in of_all.others]
    assert len(keys) == len(set(keys)) == 4 * len(PRICES.gpus) * 4


def test_what_does_not_fit_shows_what_lacks_least():
    some = Choice(
        offloads=("none",), gpus=("small", "large-80"), checkpointing=(True, False), micro_batches=(2, 1)
    )
    found = search(asked("llama-3.1-70b-instruct"), Plan(), some)
    (lacking,) = (o for o in found.others if (o.plan.method, o.gpu, o.plan.gpus) == ("full", "large-80", 8))
    assert not lacking.fits
    plan = lacking.plan
    assert (plan.zero, plan.checkpointing, plan.micro_batch) == (3, True, 1)


def test_the_cost_is_of_all_hours_and_of_starting():
    sized = size(asked(), Plan("qlora", checkpointing=True), "large-80")
    rental, cost = sized.costs[0]
    assert cost == pytest.approx(rental.per_hour * (sized.hours + STARTING)) == sized.cost


def test_long_trainings_find_better_hardware_than_short_ones():
    some = Choice(methods=("lora",), zeros=(0,), offloads=("none",))
    short, long = (search(asked(tokens=n), Plan(), some).best for n in (1e5, 1e10))
    assert long.speed.tokens_per_second > short.speed.tokens_per_second


def test_a_machine_with_too_little_memory_for_what_is_offloaded_is_no_offer():
    plan = Plan("full", gpus=8, zero=3, offload="optimizer")
    names = [r.instance.name for r, _ in size(asked(), plan, "small").costs]
    assert names == ["s8"]
    plan70 = Plan("full", gpus=8, zero=3, offload="all")
    assert size(asked("llama-3.1-70b-instruct"), plan70, "small").costs == ()


def test_a_definite_plan_is_reckoned_as_given():
    plan = Plan("lora", checkpointing=True)
    found = decide(asked(), plan, "small", {"method", "checkpointing"})
    assert (found.sized.plan, found.sized.gpu, found.found, found.instead) == (plan, "small", None, ())
    assert found.sized.fits


def test_a_definite_plan_that_does_not_fit_comes_with_those_that_do():
    found = decide(asked(), Plan("full"), "small", {"method"})
    assert not found.sized.fits
    same, elsewhere, anything = found.instead
    assert (same.plan.method, same.gpu) == ("full", "small")
    assert elsewhere.plan.method == "full"
    assert all(other.fits for other in found.instead)
    assert anything.cost <= elsewhere.cost <= same.cost


def test_with_a_method_and_no_gpu_the_rest_is_as_given():
    found = decide(asked(), Plan("qlora", checkpointing=True), None, {"method", "checkpointing"})
    assert found.sized.plan == Plan("qlora", checkpointing=True)
    assert found.found.tried == len(PRICES.gpus)
    assert found.sized.cost == min(o.cost for o in found.found.others if o.fits and not o.tight and o.cost)


def test_without_a_method_what_was_said_stays():
    found = decide(asked(), Plan(gpus=2, micro_batch=2), "small", {"gpus", "micro_batch"})
    assert all((o.gpu, o.plan.gpus, o.plan.micro_batch) == ("small", 2, 2) for o in found.found.others)


def test_where_nothing_fits_the_plan_that_lacks_least_is_shown():
    found = decide(
        asked("llama-3.1-70b-instruct"), Plan(gpus=1, offload="none"), "small", {"gpus", "offload"}
    )
    assert not found.sized.fits
    assert found.found.best is None
    assert found.sized.memory.total == min(o.memory.total for o in found.found.others)


def test_what_cannot_be_tried_is_a_usage_error():
    with pytest.raises(UsageError, match="--method"):
        decide(asked(), Plan(zero=2, gpus=1), None, {"zero", "gpus", "offload"})


def test_only_the_providers_that_are_named_are_reckoned_with():
    found = decide(asked(providers=("west",)), Plan("lora", checkpointing=True), None, {"method"})
    assert {r.instance.provider for r, _ in found.sized.costs} == {"west"}
