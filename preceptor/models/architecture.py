"""What a model is built of: the numbers of its config.json from which its weights, memory and work follow."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from preceptor.errors import UsageError


class Architecture(BaseModel):
    """A decoder of the Llama family: gated feed-forward layers, RMS norms, no learned positions.

    `intermediate` is of one expert where there are experts. `norms` are those of a layer beside the ones on queries and
    keys (`qk_norm`). `beside` counts weights that no token passes through, such as an image encoder's. `source` says where
    the numbers were read, `read` when.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    layers: int = Field(ge=1)
    hidden: int = Field(ge=1)
    intermediate: int = Field(ge=1)
    heads: int = Field(ge=1)
    kv_heads: int = Field(ge=1)
    vocab: int = Field(ge=1)
    head_size: int | None = Field(default=None, ge=1)  # None: hidden / heads
    tied: bool = False  # the embeddings are the output layer, too
    experts: int = Field(default=0, ge=0)  # of a layer; 0: none, a plain feed-forward layer
    active_experts: int = Field(default=0, ge=0)  # that a token goes through
    qkv_bias: bool = False
    qk_norm: bool = False
    norms: int = Field(default=2, ge=0)
    beside: int = Field(default=0, ge=0)
    source: str = ""
    read: date | None = None

    @property
    def queries(self) -> int:
        """The width of the queries of all heads."""
        return self.heads * self._head

    @property
    def keys(self) -> int:
        """The width of the keys (and of the values) of all heads that have their own."""
        return self.kv_heads * self._head

    @property
    def embedding(self) -> int:
        """Weights of the embeddings and of the output layer, counted once if they are tied."""
        return self.vocab * self.hidden * (1 if self.tied else 2)

    @property
    def attention(self) -> int:
        """Weights of a layer's four projections."""
        return 2 * self.hidden * (self.queries + self.keys)

    @property
    def feed_forward(self) -> int:
        """Weights of a layer's feed-forward part, of one expert where there are experts."""
        return 3 * self.hidden * self.intermediate

    @property
    def parameters(self) -> int:
        """All weights."""
        small = self.norms * self.hidden + self.hidden * self.experts
        small += (self.queries + 2 * self.keys) if self.qkv_bias else 0
        small += 2 * self._head if self.qk_norm else 0
        layer = self.attention + self.feed_forward * max(1, self.experts) + small
        return self.embedding + self.layers * layer + self.hidden + self.beside

    @property
    def active(self) -> int:
        """Weights that one token is multiplied with: without the embeddings it is looked up in, with the output layer, with
        the experts it goes through."""
        layer = self.attention + self.feed_forward * max(1, self.active_experts) + self.hidden * self.experts
        return self.layers * layer + self.vocab * self.hidden

    @property
    def _head(self) -> int:
        return self.head_size or self.hidden // self.heads


# model_type of config.json -> what its library class has unless the file says otherwise (transformers 5.23), and what is
# never in the file.
_FAMILIES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "llama": ({}, {}),
    "mistral": ({}, {}),
    "mixtral": ({}, {}),
    "phi3": ({}, {}),
    "olmo2": ({}, {"qk_norm": True}),
    "qwen2": ({}, {"qkv_bias": True}),
    "qwen3": ({"head_dim": 128}, {"qk_norm": True}),
    "qwen3_moe": ({"head_dim": 128}, {"qk_norm": True}),
    "gemma2": ({"tie_word_embeddings": True, "head_dim": 256}, {"norms": 4}),
    "gemma3_text": (
        {
            "tie_word_embeddings": True,
            "head_dim": 256,
            "num_attention_heads": 8,
            "num_key_value_heads": 4,
            "vocab_size": 262_208,
        },
        {"norms": 4, "qk_norm": True},
    ),
}


def read_architecture(folder: Path) -> Architecture:
    """The architecture of a checkpoint, from its config.json; of the language model where there is an image encoder beside.

    Raises `UsageError` for a file that cannot be read, lacks a number, or is of a family whose formulas are not known here.
    """
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise UsageError(
            f"{path} cannot be read as JSON; name a folder with a model's config.json."
        ) from None
    config = config.get("text_config", config)
    family = str(config.get("model_type"))
    if family not in _FAMILIES:
        raise UsageError(
            f"{path}: models of the type {family!r} are not known here ({', '.join(_FAMILIES)} are). Give the numbers "
            "of its architecture with --set, such as --set layers=32."
        )
    usual, fixed = _FAMILIES[family]
    config = usual | config
    try:
        return Architecture(
            layers=config["num_hidden_layers"],
            hidden=config["hidden_size"],
            intermediate=config.get("moe_intermediate_size") or config["intermediate_size"],
            heads=config["num_attention_heads"],
            kv_heads=config.get("num_key_value_heads") or config["num_attention_heads"],
            vocab=config["vocab_size"],
            head_size=config.get("head_dim"),
            tied=config.get("tie_word_embeddings", False),
            experts=config.get("num_local_experts") or config.get("num_experts") or 0,
            active_experts=config.get("num_experts_per_tok") or 0,
            source=str(path),
            **fixed,
        )
    except KeyError as error:
        raise UsageError(f"{path}: {error.args[0]} is missing.") from None
    except ValidationError as error:
        wrong = ", ".join(".".join(map(str, problem["loc"])) for problem in error.errors())
        raise UsageError(f"{path}: {wrong}: a positive whole number is expected.") from None
