"""What a layer keeps of every token until it is passed through backwards, in values.

Korthikanti et al. 2022 count it for a layer of GPT; this is what Transformers and PEFT keep of a layer with RMSNorm, a gated
feed-forward part and attention by SDPA, counted tensor by tensor in tests/training/test_activations.py for what the
trainer runs: the weights' own format, no dropout. The scalars of norms and softmax are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from preceptor.training.recipe import Method


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a layer: what is handed on, what the feed-forward part has inside, all query and all key heads."""

    hidden: int
    inner: int
    queries: int
    keys: int

    @classmethod
    def of(cls, config: Any) -> Shape:
        """As a checkpoint's configuration says."""
        heads = config.num_attention_heads
        size = getattr(config, "head_dim", None) or config.hidden_size // heads
        keys = (getattr(config, "num_key_value_heads", None) or heads) * size
        return cls(
            config.hidden_size,
            getattr(config, "intermediate_size", 4 * config.hidden_size),
            heads * size,
            keys,
        )


def kept(shape: Shape, method: Method, tokens: int, packed: bool) -> float:
    """Values a token and layer. `packed`: rows of several examples in `tokens`, kept apart by a mask that SDPA makes a matrix
    of for each layer, and for which it repeats keys and values for every query head."""
    s = shape
    attention = 4 * s.queries + tokens if packed else 2 * s.queries + 2 * s.keys
    found = attention + 3 * s.inner + 2 * s.hidden  # the norms' inputs; gate, its activation, up
    if method.name == "prompt":
        return found
    found += s.inner  # their product: what the last matrix takes
    if method.name == "ia3":
        return found + 2 * s.keys
    found += 2 * s.hidden  # what the other matrices take
    if method.name == "full":
        return found + 2 * s.hidden  # what the norms' weights are multiplied with
    found += 7 * method.rank
    # DoRA keeps what its matrices give, most of it twice.
    gives = s.queries + 2 * s.keys + 2 * s.inner + 2 * s.hidden
    return found + (1.6 * gives if method.name == "dora" else 0)


def beside(shape: Shape, method: Method) -> float:
    """Values a layer keeps however many tokens there are: DoRA's identity matrices, by which it measures its rows' lengths."""
    return shape.inner**2 + 8 * shape.hidden**2 if method.name == "dora" else 0.0
