"""The formulas against the tensors that autograd holds."""

from __future__ import annotations

import pytest
import torch
from peft import get_peft_model
from torch.autograd.graph import saved_tensors_hooks
from transformers import LlamaConfig, LlamaForCausalLM

from preceptor.training.activations import Shape, beside, kept
from preceptor.training.methods import adapter
from preceptor.training.recipe import Method

VOCABULARY = 512
CONFIG = LlamaConfig(
    vocab_size=VOCABULARY, hidden_size=256, intermediate_size=704, num_attention_heads=8,
    num_key_value_heads=2, attn_implementation="sdpa",
)  # fmt: skip


def held(method: Method, tokens: int, rows: int, layers: int) -> int:
    """Values that autograd keeps beside the parameters and the scores."""
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**CONFIG.to_dict() | {"num_hidden_layers": layers}))
    made = adapter(method)
    model = get_peft_model(model, made) if made else model
    model.train()
    seen = {p.untyped_storage().data_ptr(): 0 for p in model.parameters()}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if VOCABULARY not in tensor.shape:
            seen.setdefault(storage.data_ptr(), storage.nbytes() // 4)
        return tensor

    length = tokens // rows
    with saved_tensors_hooks(pack, lambda tensor: tensor):
        out = model(
            input_ids=torch.randint(0, VOCABULARY, (1, tokens)),
            position_ids=torch.arange(length).repeat(rows)[None],
            use_cache=False,
        )
        torch.nn.functional.cross_entropy(out.logits[0, -tokens:], torch.zeros(tokens, dtype=torch.long))
    return sum(seen.values())


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize("name", ["full", "lora", "pissa", "dora", "ia3", "prompt"])
def test_what_a_layer_keeps_is_counted(name, rows):
    if name == "prompt" and rows > 1:
        pytest.skip("packed examples would share a prompt")
    method = Method(name=name, rank=8, virtual_tokens=1)
    tokens, shape = 256, Shape.of(CONFIG)
    seen = tokens + (method.virtual_tokens if name == "prompt" else 0)
    expected = kept(shape, method, tokens, packed=rows > 1) * seen + beside(shape, method)
    found = (held(method, tokens, rows, 3) - held(method, tokens, rows, 1)) / 2
    # Norms and softmax keep a few values a token that the formula leaves out; of DoRA it says "most".
    assert found == pytest.approx(expected, rel=0.12 if name == "dora" else 0.02)
