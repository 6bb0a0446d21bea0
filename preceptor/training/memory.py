"""How much memory a training takes on each device, before it is started: an estimate by parts.

Weights, gradients and optimizer states after Rajbhandari et al. 2020 (ZeRO), activations as counted (activations.py) with
attention that keeps no matrix of scores; logits where there is loss. It plans, and is no promise.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from preceptor.training import activations as layers_keep
from preceptor.training.recipe import Method, Recipe

_MOMENTS = 2  # of Adam, for each weight that learns
NF4 = 0.5 + 0.127 / 8  # bytes a weight with double quantisation (Dettmers et al. 2023)
_ANSWERS = 0.2  # of a pack's tokens are answers, and scored; prompts are four times as long
_LIBRARIES = 900_000_000  # bytes of a process that has imported torch, transformers, peft and trl
# What glibc's allocator keeps of freed tensors and cannot give out again, as a share of what comes and goes in a step (with activation
# checkpointing too: every layer's is made again): fitted to runs here (docs/sizing.md). With MALLOC_MMAP_THRESHOLD_=1048576 in the
# environment it keeps none, and a step takes a third longer.
_FRAGMENTS = 0.8
_ROOM = 0.85  # of what is free may be planned


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes on each device. `logits` are of one pack, in fp32, with their probabilities and gradient; `allocator` is what that of
    a CPU keeps and cannot use."""

    weights: int
    gradients: int
    optimizer: int
    activations: int
    logits: int
    allocator: int
    libraries: int

    @property
    def total(self) -> int:
        """All of it."""
        return sum(asdict(self).values())


@dataclass(frozen=True, slots=True)
class Plan:
    """What is expected to be needed on each device, and whether activations are computed again to save their room; `weights` of
    the base, how many are `learning`, and its configuration."""

    estimate: Estimate
    checkpointing: bool
    free: int
    fits: bool
    weights: int
    learning: int
    config: Any

    def said(self) -> str:
        """One line for people, in MB."""
        parts = ", ".join(f"{name} {size / 1e6:,.0f}" for name, size in asdict(self.estimate).items())
        how = "on" if self.checkpointing else "off"
        line = f"memory estimate {self.estimate.total / 1e6:,.0f} MB a process ({parts}), activation checkpointing {how}"
        if self.fits:
            return line
        return f"{line}; that is more than {_ROOM:.0%} of the {self.free / 1e6:,.0f} MB that are free, over all processes of the machine"


def plan(base: Path, recipe: Recipe, dtype: Any, processes: int, on_cuda: bool) -> Plan:
    """Estimate from the base's configuration, without its weights; checkpointing as the recipe says, and where that is
    `auto`, only if it does not fit without."""
    config, weights, learning = skeleton(base, recipe.method)
    free = available(on_cuda)
    sharing = (
        1 if on_cuda else max(1, processes)
    )  # processes of one machine share its memory, a GPU is its process's
    found = {}
    for checkpointing in (False, True):
        needed = estimate(
            config, weights, learning, recipe, dtype.itemsize, processes, checkpointing, on_cuda
        )
        fits = needed.total * sharing <= _ROOM * free
        found[checkpointing] = Plan(needed, checkpointing, free, fits, weights, learning, config)
    if recipe.checkpointing == "auto":
        return found[False] if found[False].fits else found[True]
    return found[recipe.checkpointing == "on"]


def skeleton(base: Path, method: Method) -> tuple[Any, int, int]:
    """The configuration of a base, its number of parameters, and how many of them or beside them learn."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(base)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    model.tie_weights()
    weights = sum(p.numel() for p in model.parameters())
    if method.name == "full":
        return config, weights, weights
    if method.name == "prompt":
        return config, weights, method.virtual_tokens * config.hidden_size
    if method.name == "ia3":
        return config, weights, 3 * config.num_hidden_layers * config.hidden_size
    head = model.get_output_embeddings()
    everywhere = isinstance(method.targets, str)
    wanted = [
        layer
        for name, layer in model.named_modules()
        if isinstance(layer, torch.nn.Linear)
        and layer is not head
        and (everywhere or name.endswith(tuple(method.targets)))
    ]
    lengths = sum(layer.out_features for layer in wanted) if method.name == "dora" else 0
    return config, weights, sum(method.rank * (m.in_features + m.out_features) for m in wanted) + lengths


def estimate(
    config: Any,
    weights: int,
    learning: int,
    recipe: Recipe,
    bytes_a_value: int,
    processes: int,
    checkpointing: bool,
    on_cuda: bool,
) -> Estimate:
    """The parts, from the model's configuration, its parameters and those that learn (all of them for `full`)."""
    stage, share = recipe.zero_stage, max(1, processes)
    whole, quantised = recipe.method.name == "full", recipe.method.name == "qlora"
    # Adapters learn in fp32, but for those of a base in 4 bits.
    learned_in = bytes_a_value if whole or quantised else 4
    tied = getattr(config, "tie_word_embeddings", False)
    embedding = config.vocab_size * config.hidden_size * (1 if tied else 2)
    kept = (weights - embedding) * NF4 + embedding * bytes_a_value if quantised else weights * bytes_a_value
    kept += 0 if whole else learning * learned_in
    tokens, layers = recipe.batch.max_length, config.num_hidden_layers
    given = (
        tokens * config.hidden_size * bytes_a_value
    )  # what a layer is given, and leaves when it is recomputed
    shape = layers_keep.Shape.of(config)
    packed = recipe.batch.packing and not on_cuda
    layer = tokens * layers_keep.kept(shape, recipe.method, tokens, packed) + layers_keep.beside(
        shape, recipe.method
    )
    layer *= bytes_a_value
    made = layer * layers
    activations = given * layers + layer if checkpointing else made
    # DeepSpeed keeps a copy in fp32 beside the moments, torch's optimizer the moments in the weights' own format.
    states = learning * (4 + 4 * _MOMENTS) / share if stage else learning * learned_in * _MOMENTS
    scored = 1.0 if recipe.objective == "notes" else _ANSWERS
    logits = 3 * 4 * tokens * config.vocab_size * scored
    fragments = 0.0 if on_cuda or "MALLOC_MMAP_THRESHOLD_" in os.environ else _FRAGMENTS
    return Estimate(
        weights=round(kept / (share if stage == 3 else 1)),
        gradients=round(learning * learned_in / (share if stage >= 2 else 1)),
        optimizer=round(states),
        activations=round(activations),
        logits=round(logits),
        allocator=round(fragments * (made + logits)),
        libraries=0 if on_cuda else _LIBRARIES,
    )


def available(on_cuda: bool) -> int:
    """Bytes that are free now: on the device, or of the machine."""
    if on_cuda:
        import torch

        return int(torch.cuda.mem_get_info()[0])
    import psutil

    return int(psutil.virtual_memory().available)


def peak(on_cuda: bool) -> int:
    """Bytes at most so far: allocated on the device, or resident in this process."""
    if on_cuda:
        import torch

        return int(torch.cuda.max_memory_allocated())
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
