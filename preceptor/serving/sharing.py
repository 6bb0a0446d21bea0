"""Several versions on one base: the base's weights are in memory once, whatever number of adapters stands on them.

- merged: the weights that an adapter changes are computed anew (in float32, rounded once, as evaluation does it); all
  others, embeddings first, are the base's own tensors. Answers as evaluated, at the full speed.
- attached: PEFT computes the adapter beside each layer of the base. A version takes only its adapter's memory; it
  writes more slowly, and in bfloat16 a near-tie may fall otherwise than in evaluation.
"""

from __future__ import annotations

import copy
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from preceptor.errors import PreceptorError
from preceptor.evaluation.arms import ArmModel
from preceptor.evaluation.loading import LoadedModel, load_model, load_tokenizer


@dataclass(slots=True)
class _Base:
    model: Any
    users: int = 0


class SharedBases:
    """Loads versions; keeps a base as long as one of them stands on it. Safe for threads."""

    def __init__(self, dtype: str, adapters: str = "merged") -> None:
        self.dtype, self._adapters = dtype, adapters
        self._bases: dict[Path, _Base] = {}
        self._lock = threading.Lock()

    def load(self, model: ArmModel) -> LoadedModel:
        """A version ready to generate. Raises `PreceptorError` if its files cannot be loaded."""
        if model.adapter is None:
            return load_model(model, self.dtype)
        with self._lock:
            kept = self._bases.setdefault(model.path, _Base(None))
            if kept.model is None:
                kept.model = _stored(model)
            kept.users += 1
        try:
            return self._on(kept.model, model)
        except BaseException:
            self.release(model)
            raise

    def release(self, model: ArmModel) -> None:
        """A version is not needed any more."""
        with self._lock:
            kept = self._bases.get(model.path)
            if model.adapter is not None and kept:
                kept.users -= 1
                if kept.users <= 0:
                    del self._bases[model.path]

    def bases(self) -> int:
        """How many bases are in memory."""
        return len(self._bases)

    def _on(self, base: Any, model: ArmModel) -> LoadedModel:
        import torch

        from preceptor.evaluation.loading import end_ids
        from preceptor.training.merging import changes_of

        assert model.adapter is not None
        dtype = getattr(torch, self.dtype)
        view = _view(base)
        whole = True
        try:
            kind = _kind(model.adapter)
            if self._adapters == "merged" and kind in ("LORA", "IA3"):
                changes = changes_of(model.adapter)
                known = dict(view.named_parameters())
                if missing := sorted(set(changes) - set(known)):
                    raise ValueError(f"{len(missing)} parts are not of this base")
                with torch.no_grad():
                    for name, change in changes.items():
                        weight = known[name]
                        weight_of(view, name, change(weight.float()).to(dtype).contiguous())
                view = view.to(dtype)
            else:
                from peft import PeftModel

                view = PeftModel.from_pretrained(
                    view.to(dtype), str(model.adapter), autocast_adapter_dtype=False
                )
                whole = not view.active_peft_config.is_prompt_learning
                view = view.to(dtype)
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            raise PreceptorError(
                f"Model {model.name}: the adapter {model.adapter} cannot be put on {model.path} ({type(error).__name__}). "
                "Check that the folders are whole, and that it was trained on this base model."
            ) from None
        tokenizer = load_tokenizer(model)
        return LoadedModel(view.eval(), tokenizer, end_ids(view, tokenizer), whole)


def weight_of(model: Any, name: str, tensor: Any) -> None:
    """Let a parameter be another tensor, without touching the old one, which others may share."""
    import torch

    module, _, leaf = name.rpartition(".")
    setattr(model.get_submodule(module), leaf, torch.nn.Parameter(tensor, requires_grad=False))


def _stored(model: ArmModel) -> Any:
    """The base in the number format of its file, so that a merge rounds once, as evaluation's does."""
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(model.path, dtype="auto")
    except (OSError, ValueError, RuntimeError) as error:
        raise PreceptorError(
            f"Model {model.name}: the base {model.path} could not be loaded ({type(error).__name__}). Check that it is whole."
        ) from None
    return loaded.to("cuda" if torch.cuda.is_available() else "cpu").eval().requires_grad_(False)


def _view(base: Any) -> Any:
    """A copy of the modules with the same tensors in them."""
    shared = {id(t): t for t in (*base.parameters(), *base.buffers())}
    return copy.deepcopy(base, dict(shared))


def _kind(adapter: Path) -> str:
    import json

    return str(json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))["peft_type"])
