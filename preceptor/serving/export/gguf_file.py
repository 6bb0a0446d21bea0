"""A Llama-like checkpoint as one GGUF file, for llama.cpp and Ollama (the `gguf` package writes it).

F32, F16 or Q8_0; norms stay in F32. Queries and keys are laid out as llama.cpp turns them (pairs of neighbours instead of
the two halves of a head). Byte-level BPE tokenizers only; the name of the pre-tokenizer, which llama.cpp knows by heart, is
found by how the tokenizer splits.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from preceptor.errors import UsageError

TYPES = ("f16", "f32", "q8_0")
_NORMAL, _CONTROL, _USER, _UNUSED = 1, 3, 4, 5  # gguf.TokenType


def write_gguf(checkpoint: Path, out: Path, kind: str, name: str) -> None:
    """Write a Transformers checkpoint to the file `out`. Raises `UsageError` for what this cannot say in GGUF."""
    import gguf
    import numpy as np

    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    _require_llama(config, checkpoint)
    layers, heads = config["num_hidden_layers"], config["num_attention_heads"]
    kv_heads = config.get("num_key_value_heads") or heads
    head_size = config.get("head_dim") or config["hidden_size"] // heads
    quantised = {"f32": gguf.GGMLQuantizationType.F32, "f16": gguf.GGMLQuantizationType.F16}.get(
        kind, gguf.GGMLQuantizationType.Q8_0
    )
    writer = gguf.GGUFWriter(out, "llama")
    writer.add_name(name)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(layers)
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_key_length(head_size)
    writer.add_value_length(head_size)
    writer.add_rope_dimension_count(head_size)
    writer.add_rope_freq_base(_theta(config))
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_file_type({"f32": 0, "f16": 1}.get(kind, 7))
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    _add_tokenizer(writer, checkpoint, config["vocab_size"])
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, layers)
    for tensor_name, tensor in _tensors(checkpoint):
        if tensor_name == "lm_head.weight" and config.get("tie_word_embeddings"):
            continue
        named = names.get_name(tensor_name, try_suffixes=(".weight",))
        if named is None:
            raise UsageError(f"{checkpoint}: {tensor_name} has no place in a GGUF of the Llama architecture.")
        if tensor_name.endswith("q_proj.weight"):
            tensor = _paired(tensor, heads)
        elif tensor_name.endswith("k_proj.weight"):
            tensor = _paired(tensor, kv_heads)
        plain = tensor.ndim == 1 or (kind == "q8_0" and tensor.shape[-1] % 32)
        as_type = gguf.GGMLQuantizationType.F32 if plain else quantised
        data = np.ascontiguousarray(tensor)
        writer.add_tensor(named, gguf.quants.quantize(data, as_type), raw_dtype=as_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _require_llama(config: dict[str, Any], where: Path) -> None:
    family = config.get("model_type")
    scaling = config.get("rope_scaling") or config.get("rope_parameters") or {}
    odd = (
        f"models of the type {family!r}"
        if family not in ("llama", "mistral")
        else "sliding windows"
        if config.get("sliding_window")
        else "biases in the layers"
        if config.get("attention_bias") or config.get("mlp_bias")
        else "scaled rotary positions"
        if scaling.get("rope_type", "default") != "default"
        else ""
    )
    if odd:
        raise UsageError(
            f"{where}: {odd} are not written as GGUF here. Export --to hf, and convert with llama.cpp's own converter."
        )


def _theta(config: dict[str, Any]) -> float:
    return float(
        config.get("rope_theta") or (config.get("rope_parameters") or {}).get("rope_theta") or 10000.0
    )


def _tensors(checkpoint: Path) -> Iterator[tuple[str, Any]]:
    """All weights as float32 arrays, one at a time."""
    from safetensors import safe_open

    from preceptor.training.merging import shards_of

    for shard in shards_of(checkpoint):
        with safe_open(str(shard), framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118  (not a mapping)
                yield name, opened.get_tensor(name).float().numpy()


def _paired(weight: Any, heads: int) -> Any:
    """Rows of each head from two halves to neighbouring pairs: the rotary embedding of llama.cpp turns (0, 1), (2, 3), …"""
    rows = weight.shape[0]
    return (
        weight.reshape(heads, 2, rows // heads // 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)
    )


def _add_tokenizer(writer: Any, checkpoint: Path, size: int) -> None:
    from transformers import AutoTokenizer

    path = checkpoint / "tokenizer.json"
    if not path.exists():
        raise UsageError(f"{checkpoint} has no tokenizer.json: only fast tokenizers can be written as GGUF.")
    stored = json.loads(path.read_text(encoding="utf-8"))
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    if stored["model"]["type"] != "BPE" or stored["model"].get("byte_fallback"):
        raise UsageError(
            f"{checkpoint}: only byte-level BPE tokenizers are written as GGUF here; this is another kind."
        )
    tokens, types = [f"[PAD{number}]" for number in range(size)], [_UNUSED] * size
    for token, number in stored["model"]["vocab"].items():
        tokens[number], types[number] = token, _NORMAL
    for added in stored.get("added_tokens", ()):
        tokens[added["id"]], types[added["id"]] = added["content"], _CONTROL if added["special"] else _USER
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(_pre_tokenizer(stored, checkpoint))
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    merges = [m if isinstance(m, str) else " ".join(m) for m in stored["model"]["merges"]]
    if merges:
        writer.add_token_merges(merges)
    for add, number in (
        (writer.add_bos_token_id, tokenizer.bos_token_id),
        (writer.add_eos_token_id, tokenizer.eos_token_id),
        (writer.add_unk_token_id, tokenizer.unk_token_id),
        (writer.add_pad_token_id, tokenizer.pad_token_id),
    ):
        if number is not None:
            add(number)
    writer.add_add_bos_token(False)  # the chat template writes what is to stand at the beginning
    writer.add_add_space_prefix(False)
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)


def _pre_tokenizer(stored: dict[str, Any], where: Path) -> str:
    """llama.cpp's name for a way to split: it looks at nothing but the name."""
    pre = stored.get("pre_tokenizer") or {}
    parts = pre.get("pretokenizers", [pre])
    kinds = [part.get("type") for part in parts]
    if kinds == ["ByteLevel"]:
        return "gpt-2"
    if kinds == ["Digits", "ByteLevel"] and parts[0].get("individual_digits"):
        return "smollm"
    if kinds == ["Split", "ByteLevel"] and r"\p{N}{1,3}" in str(parts[0].get("pattern")):
        return "llama-bpe"
    raise UsageError(
        f"{where}: how this tokenizer splits text ({', '.join(map(str, kinds))}) has no name here that llama.cpp knows. Export "
        "--to hf, and convert with llama.cpp's own converter."
    )
