"""Memory by parts: cases reckoned by hand, what PyTorch and PEFT were seen to keep, and what must hold for every plan."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from preceptor.errors import UsageError
from preceptor.models import Architecture, load_catalogue
from preceptor.planning.activations import beside, kept
from preceptor.planning.adapters import learned
from preceptor.planning.memory import held, memory
from preceptor.planning.plan import Plan

CATALOGUE = {name: entry.architecture for name, entry in load_catalogue().items()}
LLAMA = CATALOGUE["llama-3.1-8b-instruct"]
MIXTRAL = CATALOGUE["mixtral-8x7b-instruct-v0.1"]
WEIGHTS = 8_030_261_248
# What benchmarks/activations.py builds, of random weights.
SMALL = Architecture(layers=4, hidden=256, intermediate=704, heads=8, kv_heads=2, vocab=512)
EXPERTS = SMALL.model_copy(update={"experts": 4, "active_experts": 2})


def test_full_fine_tuning_keeps_sixteen_bytes_a_weight():
    found = memory(LLAMA, Plan("full"))
    assert (found.weights, found.gradients, found.optimizer) == (2 * WEIGHTS, 2 * WEIGHTS, 12 * WEIGHTS)
    assert found.communication == found.host == 0
    small = memory(LLAMA, Plan("full", states="bf16"))
    assert small.weights + small.gradients + small.optimizer == 8 * WEIGHTS


def test_zero_divides_what_it_divides_among_eight():
    one, two, three = (memory(LLAMA, Plan("full", gpus=8, zero=stage)) for stage in (1, 2, 3))
    assert (one.weights, one.gradients, one.optimizer) == (2 * WEIGHTS, 2 * WEIGHTS, 12 * WEIGHTS // 8)
    assert (two.weights, two.gradients) == (2 * WEIGHTS, 2 * WEIGHTS // 8)
    assert three.weights == 2 * WEIGHTS // 8
    # Buckets of 500 million values in 16 bits, two of them; with ZeRO-3 one, and a billion weights that are gathered.
    assert (one.communication, two.communication, three.communication) == (2e9, 2e9, 3e9)


def test_plain_data_parallelism_copies_its_gradients_into_buckets():
    assert memory(LLAMA, Plan("full", gpus=2)).communication == 2 * WEIGHTS


def test_four_bits_take_half_a_byte_and_the_constants_of_double_quantisation():
    layers = 32 * (2 * 4096 * (4096 + 1024) + 3 * 4096 * 14336)
    # 0.127 bits a weight: Dettmers et al. 2023, section 3.
    assert held(LLAMA, quantised=True) == round(layers * (0.5 + 0.127 / 8) + (WEIGHTS - layers) * 2)


def test_experts_stay_in_sixteen_bits_unless_a_loader_packs_them():
    experts = 32 * 8 * 3 * 4096 * 14336
    left = held(MIXTRAL, quantised=True)
    assert 2 * experts < left < 2 * MIXTRAL.parameters
    assert held(MIXTRAL, quantised=True, quantised_experts=True) == pytest.approx(24.5e9, rel=0.01)


def test_adapters_are_counted_as_peft_makes_them():
    # "trainable params: 41,943,040 || all params: 8,030,261,248" of PEFT for rank 16 on all linear layers.
    assert learned(LLAMA, Plan("lora", rank=16)) == 41_943_040
    assert learned(LLAMA, Plan("lora", rank=8, targets=("q_proj", "v_proj"))) == 32 * 8 * (
        2 * 4096 + 4096 + 1024
    )
    assert learned(LLAMA, Plan("dora")) == 41_943_040 + 32 * (3 * 4096 + 2 * 1024 + 2 * 14336)
    assert learned(LLAMA, Plan("prompt", virtual_tokens=20)) == 20 * 4096
    assert learned(LLAMA, Plan("ia3")) == 32 * (2 * 1024 + 14336)
    # Counted on Mixtral's classes with two layers of 64 and 128, eight experts, rank 4.
    two = Architecture(
        layers=2, hidden=64, intermediate=128, heads=4, kv_heads=2, vocab=256, experts=8, active_experts=2
    )
    assert learned(two, Plan("lora", rank=4)) == 57_408


@pytest.mark.parametrize("targets", [("q_proj", "w_out"), "everything", ()])
def test_targets_that_no_layer_has_are_a_usage_error(targets):
    if targets == ():
        assert learned(LLAMA, Plan("lora", targets=())) == 0
        return
    with pytest.raises(UsageError, match=r"name all-linear, or some of q_proj"):
        learned(LLAMA, Plan("lora", targets=targets))


@pytest.mark.parametrize(
    ("method", "architecture", "seen"),
    [
        # Bytes a token and layer that autograd kept in bf16 with Transformers 5.23 and PEFT 0.21 (rank 8, all linear
        # layers), without the scalars of norms and softmax: benchmarks/activations.py, 2026-11-29.
        ("full", SMALL, 11_048 - 40),
        ("prompt", SMALL, 7_592 - 40),
        ("lora", SMALL, 12_184 - 40),
        ("dora", SMALL, 21_400 - 40),
        ("ia3", SMALL, 10_664 - 40),
        ("full", EXPERTS, 18_828),
        ("prompt", EXPERTS, 12_940),
        ("lora", EXPERTS, 19_404),
    ],
)
def test_a_layer_keeps_what_was_seen_to_be_kept(method, architecture, seen):
    exact = 0 if not architecture.experts else 0.015  # the router keeps a few numbers more
    assert kept(architecture, Plan(method, rank=8)) == pytest.approx(seen, rel=exact or 1e-9)


def test_experts_with_adapters_are_multiplied_out_whole():
    assert beside(EXPERTS, Plan("lora")) == 2 * 4 * 3 * 256 * 704 == pytest.approx(4_632_656, rel=0.07)
    assert beside(EXPERTS, Plan("full")) == beside(SMALL, Plan("lora")) == 0


def test_checkpointing_keeps_what_layers_are_given_and_one_layer_whole():
    plan = Plan("full", seq=1000, checkpointing=True)
    layer = 16 * 4096 + 4 * 4096 + 4 * 1024 + 8 * 14336
    last = 8 * 4096
    assert memory(LLAMA, plan).activations == 1000 * (32 * 2 * 4096 + layer + last)
    assert memory(LLAMA, replace(plan, checkpointing=False)).activations == 1000 * (32 * layer + last)


def test_logits_are_three_times_in_fp32_where_there_is_loss():
    assert memory(LLAMA, Plan(seq=1000, micro_batch=2)).logits == 3 * 4 * 2000 * 128_256
    assert memory(LLAMA, Plan(seq=1000, scored=0.25)).logits == 3 * 4 * 250 * 128_256


def test_offload_moves_to_the_machine_what_it_says():
    kept_here = Plan("full", gpus=8, zero=3)
    optimizer = memory(LLAMA, replace(kept_here, offload="optimizer"))
    everything = memory(LLAMA, replace(kept_here, offload="all"))
    assert (optimizer.optimizer, optimizer.gradients, optimizer.weights) == (0, 0, 2 * WEIGHTS // 8)
    assert (everything.optimizer, everything.gradients, everything.weights) == (0, 0, 0)
    # DeepSpeed's estimators: 16 and 18 bytes a weight, and half as much again for buffers.
    assert (optimizer.host, everything.host) == (24 * WEIGHTS, 27 * WEIGHTS)
    # ZeRO-1 does not divide gradients, and leaves them.
    assert memory(LLAMA, replace(kept_here, zero=1, offload="optimizer")).gradients == 2 * WEIGHTS


def test_what_no_library_does_is_a_usage_error():
    with pytest.raises(UsageError, match="--zero 1, 2 or 3"):
        Plan(offload="optimizer")
    with pytest.raises(UsageError, match="--zero 3"):
        Plan(offload="all", zero=2)
    with pytest.raises(UsageError, match="--zero 0"):
        Plan("full", states="bf16", zero=1)


def test_what_the_trainer_refuses_is_said():
    assert "parts" in Plan("qlora", zero=3, gpus=2).refused
    assert "process" in Plan(zero=2).refused
    assert "process" in Plan(zero=2, offload="optimizer").refused
    assert Plan(zero=2, gpus=2, offload="optimizer").refused is None
    assert Plan(zero=3, gpus=2).refused is None


plans = st.builds(
    Plan,
    method=st.sampled_from(["full", "lora", "dora", "qlora", "ia3", "prompt"]),
    gpus=st.integers(1, 16),
    zero=st.integers(0, 3),
    checkpointing=st.booleans(),
    seq=st.integers(64, 8192),
    micro_batch=st.integers(1, 8),
    rank=st.integers(1, 128),
)
models = st.sampled_from([a for a in CATALOGUE.values() if a])
ROUNDED = 7  # bytes: each part is a whole number


@settings(deadline=None)  # a busy machine is no reason to fail
@given(models, plans, st.integers(1, 4096))
def test_more_tokens_never_take_less(model, plan, more):
    assert memory(model, replace(plan, seq=plan.seq + more)).total >= memory(model, plan).total
    rows = replace(plan, micro_batch=plan.micro_batch + 1)
    assert memory(model, rows).total >= memory(model, plan).total


@settings(deadline=None)  # a busy machine is no reason to fail
@given(models, plans)
def test_a_higher_stage_of_zero_never_takes_more(model, plan):
    totals = [memory(model, replace(plan, zero=stage)).total for stage in range(4)]
    assert all(above >= below - ROUNDED for above, below in pairwise(totals))


@settings(deadline=None)  # a busy machine is no reason to fail
@given(models, plans)
def test_more_gpus_never_take_more_of_each(model, plan):
    assume(plan.gpus > 1)
    assert memory(model, replace(plan, gpus=2 * plan.gpus)).total <= memory(model, plan).total + ROUNDED


@settings(deadline=None)  # a busy machine is no reason to fail
@given(models, plans)
def test_checkpointing_never_takes_more(model, plan):
    on, off = (memory(model, replace(plan, checkpointing=c)).total for c in (True, False))
    assert on <= off


@settings(deadline=None)  # a busy machine is no reason to fail
@given(models, plans)
def test_offload_never_takes_more_of_the_gpu(model, plan):
    plan = replace(plan, zero=3)
    none, optimizer, everything = (
        memory(model, replace(plan, offload=offload)) for offload in ("none", "optimizer", "all")
    )
    assert everything.total - ROUNDED <= optimizer.total <= none.total
    assert 0 == none.host < optimizer.host < everything.host


@settings(deadline=None)  # a busy machine is no reason to fail
@given(models, plans, st.integers(1, 64))
def test_a_higher_rank_never_takes_less(model, plan, more):
    assert memory(model, replace(plan, rank=plan.rank + more)).total >= memory(model, plan).total


@settings(deadline=None)  # a busy machine is no reason to fail
@given(models, plans)
def test_four_bits_never_take_more_than_sixteen(model, plan):
    lora, qlora = (memory(model, replace(plan, method=m)).weights for m in ("lora", "qlora"))
    assert qlora < lora


@settings(deadline=None)  # a busy machine is no reason to fail
@given(models, plans)
def test_the_parts_are_whole_and_sum_up(model, plan):
    found = memory(model, plan)
    assert all(isinstance(size, int) and size >= 0 for size in found.parts.values())
    assert found.total == sum(found.parts.values()) == found.allocated + found.overhead
