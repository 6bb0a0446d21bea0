"""An adapter merged shard by shard answers as PEFT's own, for every method that changes weights."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from peft import get_peft_model
from safetensors import safe_open
from transformers import AutoModelForCausalLM

from preceptor.errors import PreceptorError, UsageError
from preceptor.models import resolve
from preceptor.settings import Workspace
from preceptor.training.merging import check, merge
from preceptor.training.methods import adapter, remember_beginning, save_adapter
from preceptor.training.recipe import Method


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """The tiny model in several shards."""
    found = resolve("tiny", Workspace(tmp_path_factory.mktemp("home"))).path
    folder = tmp_path_factory.mktemp("base") / "sharded"
    model = AutoModelForCausalLM.from_pretrained(found, dtype=torch.float32)
    model.save_pretrained(folder, max_shard_size="200KB")
    for file in found.glob("tokenizer*"):
        shutil.copy(file, folder)
    assert len(list(folder.glob("*.safetensors"))) > 1
    return folder


def trained(base, folder, name):
    """An adapter whose weights have moved, as after training."""
    method = Method(name=name, rank=4, alpha=8)
    torch.manual_seed(1)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), adapter(method))
    remember_beginning(model, method, folder)
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.05 * torch.randn_like(parameter)
    out = folder / "adapter"
    if name == "pissa":
        save_adapter(model, folder, out)
    else:
        model.save_pretrained(out)
    ids = torch.arange(20)[None]
    with torch.inference_mode():
        return out, model.eval()(input_ids=ids).logits, ids


@pytest.mark.parametrize("name", ["lora", "rslora", "dora", "pissa", "ia3"])
def test_the_merged_model_answers_as_the_trained_one(base, tmp_path, name):
    made, wanted, ids = trained(base, tmp_path, name)
    facts = merge(base, made, tmp_path / "merged")
    assert facts["shards"] > 1
    assert check(base, made, tmp_path / "merged")["same_first_choice"] == 1.0
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "merged", dtype=torch.float32)
    plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    with torch.inference_mode():
        assert torch.allclose(loaded(input_ids=ids).logits, wanted, atol=2e-3)
        assert not torch.allclose(plain(input_ids=ids).logits, wanted, atol=2e-3)
    assert (tmp_path / "merged" / "tokenizer.json").exists()


def test_the_format_of_the_base_is_kept_and_its_rounding_allowed(base, tmp_path):
    half = tmp_path / "half"
    AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16).save_pretrained(half)
    made, _, _ = trained(base, tmp_path, "lora")
    merge(half, made, tmp_path / "merged")
    with safe_open(str(tmp_path / "merged" / "model.safetensors"), framework="pt") as opened:
        assert {opened.get_tensor(name).dtype for name in opened.keys()} == {torch.bfloat16}  # noqa: SIM118
    assert check(half, made, tmp_path / "merged")["largest_difference"] > 0


def test_a_merge_that_differs_is_told(base, tmp_path):
    made, _, _ = trained(base, tmp_path, "lora")
    merge(base, made, tmp_path / "merged")
    config = json.loads((made / "adapter_config.json").read_text())
    (made / "adapter_config.json").write_text(json.dumps(config | {"lora_alpha": 80}))
    with pytest.raises(PreceptorError, match="merge-differs"):
        check(base, made, tmp_path / "merged")


def test_what_cannot_be_merged_is_refused_and_leaves_nothing(base, tmp_path):
    prompt, _, _ = trained(base, tmp_path, "prompt")
    with pytest.raises(UsageError, match="cannot be merged"):
        merge(base, prompt, tmp_path / "merged")
    made, _, _ = trained(base, tmp_path / "other", "lora")
    config = json.loads((base / "config.json").read_text())
    other = tmp_path / "smaller"
    shutil.copytree(base, other)
    index = json.loads((other / "model.safetensors.index.json").read_text())
    kept = {k: v for k, v in index["weight_map"].items() if ".layers.0." not in k}
    assert len(kept) < len(index["weight_map"])
    assert config["num_hidden_layers"] > 0
    (other / "model.safetensors.index.json").write_text(
        json.dumps(index | {"weight_map": {"x": next(iter(kept.values()))}})
    )
    with pytest.raises(UsageError, match="another base"):
        merge(other, made, tmp_path / "merged")
    (tmp_path / "taken").mkdir()
    with pytest.raises(UsageError, match="there already"):
        merge(base, made, tmp_path / "taken")
    assert not [p for p in tmp_path.iterdir() if "merged" in p.name]
