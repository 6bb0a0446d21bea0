"""The methods of fine-tuning as PEFT has them: the base as each wants it, its adapter, and what is kept of it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from preceptor.errors import PreceptorError
from preceptor.training.recipe import Method

_PISSA: Any = (
    "pissa_niter_16"  # rounds of the fast singular value decomposition, as Meng et al. 2024 take them
)
_BEGUN = "begun"  # in the job's folder: the PiSSA adapter before its first step


def load_base(path: str, method: Method, dtype: Any) -> Any:
    """The base model, in 4 bits for `qlora`; with FlashAttention where there are a GPU, the package and a format it takes.

    fp16 trains all weights from fp32 copies: gradients of fp16 weights could not be scaled back.
    """
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    flash = torch.cuda.is_available() and find_spec("flash_attn") and dtype != torch.float32
    attention = "flash_attention_2" if flash else "sdpa"
    if method.name != "qlora":
        kept = torch.float32 if method.name == "full" and dtype == torch.float16 else dtype
        return AutoModelForCausalLM.from_pretrained(path, dtype=kept, attn_implementation=attention)
    four_bits = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    where = {"": torch.cuda.current_device()} if torch.cuda.is_available() else "cpu"
    return AutoModelForCausalLM.from_pretrained(
        path, quantization_config=four_bits, dtype=dtype, device_map=where, attn_implementation=attention
    )


def adapter(method: Method) -> Any:
    """The PEFT configuration; None for `full`."""
    from peft import IA3Config, LoraConfig, PromptTuningConfig, PromptTuningInit

    targets = method.targets if isinstance(method.targets, str) else list(method.targets)
    if method.name == "full":
        return None
    if method.name == "prompt":
        return PromptTuningConfig(
            task_type="CAUSAL_LM",
            num_virtual_tokens=method.virtual_tokens,
            prompt_tuning_init=PromptTuningInit.SAMPLE_VOCAB,
        )
    if method.name == "ia3":
        own = None if targets == "all-linear" else targets
        return IA3Config(
            task_type="CAUSAL_LM", target_modules=own, feedforward_modules=None if own is None else []
        )
    return LoraConfig(
        task_type="CAUSAL_LM",
        r=method.rank,
        lora_alpha=method.alpha,
        lora_dropout=method.dropout,
        target_modules=targets,
        use_rslora=method.name == "rslora",
        use_dora=method.name == "dora",
        init_lora_weights=_PISSA if method.name == "pissa" else True,
    )


def remember_beginning(model: Any, method: Method, folder: Path) -> None:
    """Keep what a PiSSA adapter began as: it took its part out of the base, and only the difference fits the base as it is.

    Raises `PreceptorError` if a resumed run began otherwise than the one it resumes: the base would not be the same.
    """
    if method.name != "pissa":
        return
    from peft import get_peft_model_state_dict
    from safetensors.torch import load_file

    begun = folder / _BEGUN
    file = begun / "adapter_model.safetensors"
    if (begun / "whole").exists():
        before, now = load_file(file), get_peft_model_state_dict(model)
        if any(float((before[name] - now[name].float().cpu()).abs().max()) > 1e-4 for name in before):
            raise PreceptorError(
                "The PiSSA adapter begins otherwise than in the run that was broken off (rule pissa-other-beginning): "
                "was a library updated in between? Change the recipe's seed to begin anew."
            )
        return
    config = model.peft_config["default"]
    # Loaded as what it is, not begun again.
    config.init_lora_weights = True
    model.save_pretrained(str(begun))
    config.init_lora_weights = _PISSA
    (begun / "whole").touch()


def save_adapter(model: Any, folder: Path, out: Path) -> None:
    """Write a PiSSA adapter as a plain LoRA adapter of twice the rank, which fits the base as it is."""
    model.save_pretrained(str(out), path_initial_model_for_weight_conversion=str(folder / _BEGUN))
