"""Bring a model into memory for generation: base checkpoint, adapter merged in, the faster number format."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from preceptor.errors import PreceptorError
from preceptor.versions import write_atomic

if TYPE_CHECKING:
    from collections.abc import Callable

    from preceptor.evaluation.arms import ArmModel


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model and its tokenizer, ready to generate. `whole`: nothing of PEFT is around it any more."""

    model: Any
    tokenizer: Any
    end_ids: frozenset[int]
    whole: bool = True


def load_tokenizer(model: ArmModel) -> Any:
    """Return the tokenizer of a model. Raises `PreceptorError` if it has none or no chat template."""
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(model.path)
    except (OSError, ValueError) as error:
        raise PreceptorError(
            f"Model {model.name}: {model.path} holds no tokenizer that can be read ({type(error).__name__}). "
            "Name a folder that save_pretrained of Transformers wrote for model and tokenizer."
        ) from None
    if not tokenizer.chat_template:
        raise PreceptorError(
            f"Model {model.name}: the tokenizer in {model.path} has no chat template. "
            "Use an instruction-tuned checkpoint, or add chat_template.jinja to the folder."
        )
    return tokenizer


def load_model(model: ArmModel, dtype: str) -> LoadedModel:
    """Load a model in `dtype` ("float32" or "bfloat16"), on the GPU if there is one.

    An adapter is merged in float32 and rounded once at the end: an unmerged one costs a quarter of the speed,
    one merged in bfloat16 loses small changes. A learned prompt cannot be merged and stays around the model.
    Raises `PreceptorError` if the checkpoint or the adapter cannot be loaded.
    """
    import torch
    from transformers import AutoModelForCausalLM
    from transformers.utils import logging

    logging.disable_progress_bar()
    whole = True
    merging = torch.float32 if model.adapter else getattr(torch, dtype)
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(model.path, dtype=merging)
        if model.adapter:
            from peft import PeftModel

            adapted: Any = PeftModel.from_pretrained(loaded, str(model.adapter))
            whole = not adapted.active_peft_config.is_prompt_learning
            loaded = adapted.merge_and_unload() if whole else adapted
    except (OSError, ValueError, RuntimeError) as error:
        part = f"{model.path} with the adapter {model.adapter}" if model.adapter else str(model.path)
        raise PreceptorError(
            f"Model {model.name}: {part} could not be loaded ({type(error).__name__}). Check that the folders are "
            "whole, and that the adapter was trained on this base model."
        ) from None
    loaded = loaded.to(getattr(torch, dtype)).to("cuda" if torch.cuda.is_available() else "cpu").eval()
    tokenizer = load_tokenizer(model)
    return LoadedModel(loaded, tokenizer, end_ids(loaded, tokenizer), whole)


def end_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    """The tokens that end an answer: what the checkpoint's generation configuration and its tokenizer say."""
    configured = getattr(model.generation_config, "eos_token_id", None)
    ids = configured if isinstance(configured, list) else [configured]
    return frozenset(i for i in (*ids, tokenizer.eos_token_id) if i is not None)


def choose_dtype(kept: Path, probe: Callable[[], str] | None = None) -> str:
    """Return "bfloat16" or "float32", whichever this machine multiplies faster, as found the first time.

    The finding is kept in the file `kept`: a resumed evaluation must not mix answers of two number formats,
    in which near-ties may fall differently, and all arms must be run in the same one.
    """
    if kept.exists():
        return str(json.loads(kept.read_text(encoding="utf-8"))["dtype"])
    dtype = (probe or faster_dtype)()
    write_atomic(kept, json.dumps({"dtype": dtype}) + "\n")
    return dtype


def faster_dtype() -> str:
    """Time matrix products of the sizes that reading and writing take, in both formats (about 0.1 s)."""
    import torch

    if torch.cuda.is_available():
        return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"
    taken = {}
    with torch.inference_mode():
        for dtype in (torch.float32, torch.bfloat16):
            weights = torch.randn(1536, 576, dtype=dtype)
            several, one_step = torch.randn(256, 576, dtype=dtype), torch.randn(16, 576, dtype=dtype)
            rounds = []
            for _ in range(8):
                started = time.perf_counter()
                torch.nn.functional.linear(several, weights)
                for _ in range(8):
                    torch.nn.functional.linear(one_step, weights)
                rounds.append(time.perf_counter() - started)
            taken[dtype] = min(rounds)
    return "bfloat16" if taken[torch.bfloat16] < taken[torch.float32] else "float32"
