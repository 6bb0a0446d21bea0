"""What autograd keeps of a token and layer, counted: `python benchmarks/activations.py [--method lora …]`.

Small models of random weights, Llama's and Mixtral's classes, in bf16 on the CPU, forwards only, as TRL runs them (autocast,
adapters in fp32). The tensors that are alive after the forward pass are counted once each by their storage; what two layers more
and twice as many tokens add is what a token and layer keep. preceptor/planning/activations.py has the formulas.
"""

from __future__ import annotations

import argparse
import gc
import sys
import warnings
import weakref
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SIZES = {"hidden": 256, "intermediate": 704, "heads": 8, "kv_heads": 2, "vocab": 512}
METHODS = ("full", "prompt", "lora", "dora", "ia3")  # prompt: a frozen base, gradients to what it is given
RANK, TOKENS = 8, 128


class _Held:
    """A saved tensor; it lives as long as autograd wants it."""

    def __init__(self, tensor: Any) -> None:
        self.tensor = tensor


def build(layers: int, experts: int, method: str) -> Any:
    """A model as the trainer would have it, with its adapter."""
    import torch
    from peft import get_peft_model
    from transformers import LlamaConfig, LlamaForCausalLM, MixtralConfig, MixtralForCausalLM

    from preceptor.training.methods import adapter
    from preceptor.training.recipe import Method

    common = {
        "vocab_size": SIZES["vocab"],
        "hidden_size": SIZES["hidden"],
        "intermediate_size": SIZES["intermediate"],
        "num_hidden_layers": layers,
        "num_attention_heads": SIZES["heads"],
        "num_key_value_heads": SIZES["kv_heads"],
        "tie_word_embeddings": False,
    }
    torch.manual_seed(0)
    model: Any = (
        MixtralForCausalLM(MixtralConfig(**common, num_local_experts=experts))
        if experts
        else LlamaForCausalLM(LlamaConfig(**common))
    ).to(torch.bfloat16)
    if method == "prompt":
        return model.requires_grad_(False)
    made = adapter(Method(name=method, rank=RANK))
    return get_peft_model(model, made) if made else model


def kept(model: Any, tokens: int) -> int:
    """Bytes alive for the backward pass after one forward pass through the layers, weights aside."""
    import torch

    alive: weakref.WeakSet[_Held] = weakref.WeakSet()
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}

    def pack(tensor: Any) -> _Held:
        held = _Held(tensor)
        alive.add(held)
        return held

    layers = model.base_model.model.model if hasattr(model, "peft_config") else model.model
    given = torch.randn(1, tokens, SIZES["hidden"], dtype=torch.bfloat16, requires_grad=True)
    with (
        torch.autograd.graph.saved_tensors_hooks(pack, lambda held: held.tensor),
        torch.autocast("cpu", torch.bfloat16),
    ):
        result = layers.train()(inputs_embeds=given, use_cache=False)
    gc.collect()
    storages = {h.tensor.untyped_storage().data_ptr(): h.tensor.untyped_storage().nbytes() for h in alive}
    del result
    return sum(size for at, size in storages.items() if at not in weights)


def main() -> None:
    from preceptor.models import Architecture
    from preceptor.planning import activations
    from preceptor.planning.plan import Plan

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--method", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument(
        "--experts", type=int, default=0, help="0: Llama's classes; else Mixtral's, two a token."
    )
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    architecture = Architecture(
        **SIZES, layers=4, experts=given.experts, active_experts=2 * bool(given.experts)
    )
    print(
        "| method | a token and layer: kept | reckoned | a layer besides: kept | reckoned |\n|---|---|---|---|---|"
    )
    for method in given.method:
        found = {}
        for layers in (2, 4):
            model = build(layers, given.experts, method)
            for tokens in (TOKENS, 2 * TOKENS):
                found[layers, tokens] = kept(model, tokens)
        of_layer = {n: (found[4, n] - found[2, n]) / 2 for n in (TOKENS, 2 * TOKENS)}
        of_token = (of_layer[2 * TOKENS] - of_layer[TOKENS]) / TOKENS
        plan = Plan(method, rank=RANK)
        ours, besides = activations.kept(architecture, plan), activations.beside(architecture, plan)
        left = of_layer[TOKENS] - TOKENS * of_token
        print(f"| {method} | {of_token:,.0f} | {ours:,} | {left:,.0f} | {besides:,} |", flush=True)


if __name__ == "__main__":
    main()
