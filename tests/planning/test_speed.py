"""Operations and traffic reckoned by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preceptor.models import load_catalogue
from preceptor.planning.plan import Plan
from preceptor.planning.prices import load_prices
from preceptor.planning.speed import effort, speed

CATALOGUE = {name: entry.architecture for name, entry in load_catalogue().items()}
LLAMA = CATALOGUE["llama-3.1-8b-instruct"]
GPUS = load_prices().gpus


def operations(architecture, plan):
    return effort(architecture, plan).operations


def of(architecture, plan, gpu, mfu=0.4):
    return speed(effort(architecture, plan), plan, gpu, mfu)


# Of a token: the matrices of the layers and the output layer.
WEIGHTS = 32 * (2 * 4096 * (4096 + 1024) + 3 * 4096 * 14336) + 128_256 * 4096
ATTENTION = 2 * 32 * 4096 * 2048  # forwards, over half of 2,048 tokens


def test_six_operations_a_weight_where_all_learn():
    assert operations(LLAMA, Plan("full")) == 6 * WEIGHTS + 3 * ATTENTION


def test_four_where_the_base_is_frozen_and_six_a_weight_of_its_adapter():
    assert operations(LLAMA, Plan("lora")) == 4 * WEIGHTS + 3 * ATTENTION + 6 * 41_943_040


def test_activations_that_are_computed_again_cost_another_pass_through_the_layers():
    more = operations(LLAMA, Plan("full", checkpointing=True)) - operations(LLAMA, Plan("full"))
    assert more == 2 * (WEIGHTS - 128_256 * 4096) + ATTENTION


def test_experts_that_a_token_does_not_go_through_cost_nothing():
    mixtral = CATALOGUE["mixtral-8x7b-instruct-v0.1"]
    dense = mixtral.model_copy(update={"experts": 0, "active_experts": 0})
    idle = operations(mixtral, Plan("full")) / operations(dense, Plan("full"))
    assert 1.7 < idle < 2


def test_arithmetic_at_the_assumed_share_of_the_peak():
    found = of(LLAMA, Plan("full"), GPUS["h100"], mfu=0.5)
    assert found.tokens_per_second == pytest.approx(989e12 * 0.5 / operations(LLAMA, Plan("full")))
    assert found.bound == "arithmetic"
    assert found.hours(found.tokens_per_second * 7200) == pytest.approx(2)


def test_eight_gpus_are_nearly_eight_times_as_fast_where_they_have_nvlink():
    one, eight = (of(LLAMA, Plan("full", gpus=n), GPUS["h100"]).tokens_per_second for n in (1, 8))
    assert 7 < eight / one <= 8


def test_weights_in_parts_are_held_up_by_a_slow_link():
    plan = Plan("full", gpus=8, zero=3, micro_batch=1, seq=512)
    slow, fast = of(LLAMA, plan, GPUS["l40s"]), of(LLAMA, plan, GPUS["h100"])
    assert slow.bound == "traffic"
    # Gathered twice and summed once, seven eighths of 2 bytes a weight each, in every step.
    seconds = 3 * 2 * LLAMA.parameters * 7 / 8 / (32e9 * 0.7)
    assert slow.tokens_per_second == pytest.approx(8 * 512 / seconds)
    assert fast.tokens_per_second > 2 * slow.tokens_per_second


def test_offload_costs_time():
    plan = Plan("full", gpus=8, zero=3)
    none, optimizer, everything = (
        of(LLAMA, replace(plan, offload=o), GPUS["a100-80gb"]).tokens_per_second
        for o in ("none", "optimizer", "all")
    )
    assert none > optimizer > everything


@settings(deadline=None)  # a busy machine is no reason to fail
@given(
    st.sampled_from([a for a in CATALOGUE.values() if a]),
    st.sampled_from(list(GPUS.values())),
    st.sampled_from(["full", "lora", "qlora"]),
    st.integers(1, 8),
    st.integers(64, 8192),
)
def test_a_better_use_of_the_gpu_is_never_slower(model, gpu, method, gpus, seq):
    plan = Plan(method, gpus=gpus, seq=seq)
    assert of(model, plan, gpu, 0.5).tokens_per_second >= of(model, plan, gpu, 0.3).tokens_per_second
