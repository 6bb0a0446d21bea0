"""The base model as what writes and what judges share it: in memory once, and only where it is needed."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from preceptor.models import ResolvedModel


class Checkpoint:
    """A Transformers checkpoint on this machine, `of` a base model."""

    def __init__(self, of: ResolvedModel) -> None:
        self.of = of

    def load(self) -> tuple[Any, Any]:
        """Its tokenizer, which pads on the left, and the model, on the GPU if there is one."""
        return self._loaded

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(self.of.path, padding_side="left")
        model = AutoModelForCausalLM.from_pretrained(self.of.path, dtype="auto").eval()
        return tokenizer, model.to("cuda" if torch.cuda.is_available() else "cpu")
