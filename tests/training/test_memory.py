"""The estimate of memory against what PEFT and PyTorch really keep."""

from __future__ import annotations

import pytest
import torch
from peft import get_peft_model
from transformers import AutoModelForCausalLM

from preceptor.models import read_architecture, resolve
from preceptor.planning.adapters import learned
from preceptor.planning.plan import Plan
from preceptor.settings import Workspace
from preceptor.training import memory
from preceptor.training.memory import plan, skeleton
from preceptor.training.methods import adapter
from preceptor.training.recipe import Method, Recipe


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return resolve("tiny", Workspace(tmp_path_factory.mktemp("home"))).path


@pytest.mark.parametrize(
    "method",
    [
        Method(name="lora", rank=4),
        Method(name="lora", rank=4, targets=("q_proj", "v_proj")),
        Method(name="dora", rank=4),
        Method(name="full"),
        Method(name="prompt", virtual_tokens=5),
    ],
    ids=lambda m: f"{m.name}-{m.targets}",
)
def test_the_weights_that_learn_are_those_that_peft_makes(base, method):
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    every = sum(p.numel() for p in model.parameters())
    made = get_peft_model(model, adapter(method)) if method.name != "full" else model
    learning = sum(p.numel() for p in made.parameters() if p.requires_grad)
    assert skeleton(base, method)[1:] == (every, learning)


@pytest.mark.parametrize("name", ["lora", "dora", "full", "prompt"])
def test_planning_counts_the_same_without_loading_a_model(base, name):
    method = Method(name=name, rank=4, virtual_tokens=5)
    planned = learned(read_architecture(base), Plan(name, rank=4, virtual_tokens=5))
    assert planned == skeleton(base, method)[2]


def of(base, processes=1, **recipe):
    return plan(base, Recipe(**recipe), torch.float32, processes, on_cuda=False)


def test_zero_divides_what_it_divides(base):
    full = {"name": "full"}
    one, two, three = (of(base, 4, method=full, zero_stage=n).estimate for n in (1, 2, 3))
    plain = of(base, 4, method=full).estimate
    assert one.optimizer == pytest.approx(plain.weights * 3 / 4, rel=0.01)
    assert (one.gradients, two.gradients) == (plain.gradients, pytest.approx(plain.gradients / 4, rel=0.01))
    assert (two.weights, three.weights) == (plain.weights, pytest.approx(plain.weights / 4, rel=0.01))


def test_activations_are_recomputed_only_where_they_do_not_fit(base, monkeypatch):
    assert not of(base).checkpointing
    assert of(base, checkpointing="on").checkpointing
    roomy, tight = of(base), of(base, checkpointing="on")
    assert tight.estimate.activations < roomy.estimate.activations
    between = (roomy.estimate.total + tight.estimate.total) / 2 / 0.85
    monkeypatch.setattr(memory, "available", lambda on_cuda: int(between))
    assert of(base).checkpointing
    assert of(base).fits
    assert not of(base, checkpointing="off").fits
    assert "that is more than 85%" in of(base, checkpointing="off").said()
    # Two processes on one machine need twice as much of it.
    assert not of(base, 2).fits


def test_a_base_in_four_bits_takes_less(base):
    lora, small = (
        plan(base, Recipe(method={"name": name}), torch.bfloat16, 1, on_cuda=False).estimate.weights
        for name in ("lora", "qlora")
    )
    assert small < lora
