"""An adapter merged into its base, tensor by tensor: no more than one shard of the base is in memory at a time."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from preceptor.errors import PreceptorError, UsageError
from preceptor.progress import Progress, silent

_INDEX = "model.safetensors.index.json"
_ADAPTER = "adapter_model.safetensors"
_PREFIX = "base_model.model."
# What of a base's folder is not weights goes along; other formats of the weights do not.
_WEIGHTS = (".safetensors", ".bin", ".index.json", ".gguf", ".pt", ".pth")
Change = Callable[[Any], Any]


def merge(base: Path, adapter: Path, out: Path, on_progress: Progress = silent) -> dict[str, Any]:
    """Write `base` with `adapter` merged in to `out`, a folder that must not exist; return what was merged.

    Sums are made in float32 and rounded once to the base's format. LoRA in all its kinds (rsLoRA, DoRA, PiSSA as it is kept,
    QLoRA's) and IA3. Progress is in shards. Raises `UsageError` for a learned prompt, which is no weight, for an adapter that
    is of another kind or not of this base, and for a base that is not in safetensors.
    """
    from safetensors import safe_open
    from safetensors.torch import save_file

    if out.exists():
        raise UsageError(f"{out} is there already; a merge does not write over anything.")
    changes = changes_of(adapter)
    used: set[str] = set()
    part = out.with_name(f".{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    shards = shards_of(base)
    for number, shard in enumerate(shards):
        on_progress(number, len(shards))
        tensors = {}
        with safe_open(str(shard), framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118  (not a mapping)
                tensor = opened.get_tensor(name)
                change = changes.get(name)
                if change is not None:
                    used.add(name)
                    tensor = change(tensor.float()).to(tensor.dtype).contiguous()
                tensors[name] = tensor
            save_file(tensors, str(part / shard.name), metadata=opened.metadata() or {"format": "pt"})
    if missing := sorted(set(changes) - used):
        shutil.rmtree(part)
        raise UsageError(
            f"{adapter}: {len(missing)} of its {len(changes)} parts, such as {missing[0]}, are not in {base}: was it trained on "
            "another base model?"
        )
    _rest(base, adapter, part)
    part.rename(out)
    on_progress(len(shards), len(shards))
    return {"merged": len(used), "shards": len(shards)}


def same_base(adapter: Path, base_digest: str) -> None:
    """Raise `UsageError` if an adapter of ours says that it was trained on another base."""
    report = adapter / "training.json"
    if report.exists() and json.loads(report.read_text())["base_digest"] != base_digest:
        raise UsageError(f"{adapter} was trained on another base model: name it with --base.")


def check(base: Path, adapter: Path, merged: Path) -> dict[str, float]:
    """Compare the logits of the merged model with those of PEFT's own, in float32, on random tokens; the two are in memory
    one after the other.

    Returns the largest difference, and the share of positions with the same most likely token. Raises `PreceptorError`
    where a base in float32 differs by more than 1e-3; one in bfloat16 was rounded again, and then by more than a twentieth
    of the logits' range. The merged folder is left to look at.
    """
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    def load(path: Path) -> Any:
        return AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()

    def logits(model: Any) -> Any:
        with torch.inference_mode():
            return model(input_ids=ids).logits

    ours = load(merged)
    stored = json.loads((merged / "config.json").read_text())
    exact = stored.get("dtype", stored.get("torch_dtype", "float32")) == "float32"
    drawn = torch.Generator().manual_seed(20)
    ids = torch.randint(0, ours.config.vocab_size, (2, 32), generator=drawn)
    found = logits(ours)
    del ours
    theirs = logits(PeftModel.from_pretrained(load(base), str(adapter)))
    largest = float((theirs - found).abs().max())
    tolerance = 1e-3 if exact else 0.05 * float(theirs.max() - theirs.min())
    if not largest <= tolerance:
        raise PreceptorError(
            f"{merged} does not answer as the base with its adapter does: a logit differs by {largest:.3g} (rule "
            "merge-differs). Do not use it."
        )
    same = (theirs.argmax(-1) == found.argmax(-1)).float().mean()
    return {"largest_difference": largest, "same_first_choice": float(same)}


def shards_of(base: Path) -> list[Path]:
    """The files of a checkpoint's weights. Raises `UsageError` if it has none in safetensors."""
    index = base / _INDEX
    if index.exists():
        names = sorted(set(json.loads(index.read_text())["weight_map"].values()))
        return [base / name for name in names]
    whole = base / "model.safetensors"
    if not whole.exists():
        raise UsageError(f"{base} has no weights in safetensors: only those can be read part by part.")
    return [whole]


def _rest(base: Path, adapter: Path, out: Path) -> None:
    """Configuration and tokenizer: the base's, and over it what training kept beside the adapter."""
    for file in base.iterdir():
        if file.is_file() and (file.name == _INDEX or not file.name.endswith(_WEIGHTS)):
            shutil.copy(file, out / file.name)
    for file in adapter.iterdir():
        if file.name.startswith(("tokenizer", "chat_template", "special_tokens", "vocab", "merges")):
            shutil.copy(file, out / file.name)


def changes_of(adapter: Path) -> dict[str, Change]:
    """What the adapter does to each weight of the base that it touches, by the weight's name."""
    from safetensors.torch import load_file

    try:
        config = json.loads((adapter / "adapter_config.json").read_text())
        tensors = load_file(str(adapter / _ADAPTER))
    except (OSError, json.JSONDecodeError):
        raise UsageError(f"{adapter} is no adapter that PEFT has written.") from None
    if config.get("fan_in_fan_out"):
        raise UsageError(
            f"{adapter}: layers whose weights lie the other way round (Conv1D) are not merged here."
        )
    kinds = {"LORA": _lora, "IA3": _ia3}
    kind = config["peft_type"]
    if kind not in kinds:
        raise UsageError(
            f"{adapter}: an adapter of the kind {kind} is not a change of weights and cannot be merged."
        )
    return dict(kinds[kind](config, tensors))


def _lora(config: dict[str, Any], tensors: dict[str, Any]) -> Iterator[tuple[str, Change]]:
    for name, a in tensors.items():
        if not name.endswith(".lora_A.weight"):
            continue
        module = name.removesuffix(".lora_A.weight")
        plain = module.removeprefix(_PREFIX)
        b = tensors[f"{module}.lora_B.weight"]
        rank = _of_module(config["r"], config.get("rank_pattern"), plain)
        alpha = _of_module(config["lora_alpha"], config.get("alpha_pattern"), plain)
        scale = alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)
        length = tensors.get(f"{module}.lora_magnitude_vector")
        yield f"{plain}.weight", _lora_change(a, b, scale, length)


def _of_module(usual: float, patterns: dict[str, float] | None, module: str) -> float:
    """The rank or alpha of a module: PEFT's patterns name the ends of module names."""
    return next((v for k, v in (patterns or {}).items() if module == k or module.endswith(f".{k}")), usual)


def _lora_change(a: Any, b: Any, scale: float, length: Any) -> Change:
    def change(weight: Any) -> Any:
        new = weight + scale * (b.float() @ a.float())
        # DoRA: the learned length of each row, over the one that it has now (Liu et al. 2024, equation 5).
        return new if length is None else new * (length.float() / new.norm(dim=1)).unsqueeze(1)

    return change


def _ia3(config: dict[str, Any], tensors: dict[str, Any]) -> Iterator[tuple[str, Change]]:
    for name, vector in tensors.items():
        module = name.removesuffix(".ia3_l")
        if module != name:
            yield f"{module.removeprefix(_PREFIX)}.weight", _ia3_change(vector)


def _ia3_change(vector: Any) -> Change:
    """(out, 1) scales what a layer gives, (1, in) what an inner layer is given."""
    return lambda weight: weight * vector.float()
