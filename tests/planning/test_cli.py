"""`preceptor size` as a person or a script gives it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from preceptor.cli import main
from preceptor.cli.size_tables import said

PRICES = Path(__file__).with_name("prices.yaml")

CONTRACT = "--method lora --gpu h100 --gpus 8 --zero 2 --seq 2048 --micro-batch 2 --checkpointing --offload optimizer"


@pytest.fixture
def call(tmp_path, capfd):
    """Call the command in an empty home; returns its JSON if asked for, otherwise all it said."""

    def run(*arguments, code=0):
        with pytest.raises(SystemExit) as ended:
            main(["--home", str(tmp_path / "home"), "size", *map(str, arguments)])
        read = capfd.readouterr()
        assert ended.value.code == code, read.err
        assert "Traceback" not in read.err
        return json.loads(read.out) if "--json" in arguments and read.out else read.out + read.err

    return run


def test_the_command_of_the_contract(call):
    found = call("--model", "llama-3.1-8b", *CONTRACT.split(), "--json")
    plan = found["plan"]
    assert [plan[key] for key in ("method", "gpu", "gpus", "zero", "seq", "micro_batch", "offload")] == [
        "lora", "h100", 8, 2, 2048, 2, "optimizer",
    ]  # fmt: skip
    assert plan["checkpointing"] and found["fits"] and found["search"] is None and found["instead"] == []
    parts = {"weights", "gradients", "optimizer", "activations", "logits", "communication", "overhead"}
    assert found["memory"].keys() == parts | {"total", "host"}
    assert found["memory"]["total"] == sum(found["memory"][part] for part in parts)
    assert found["speed"]["tokens_per_second"] > 0 and found["hours"] > 0
    assert {c["provider"] for c in found["costs"]} >= {"aws", "gcp", "lambda"}
    assert (
        found["rent_or_buy"]["cheaper_from_month"] is None or found["rent_or_buy"]["cheaper_from_month"] > 0
    )
    assert found["memory"]["host"] > 0 and "assumed share" in found["notes"][0]


def test_the_same_for_people(call):
    told = call("--model", "llama-3.1-8b", *CONTRACT.split())
    for what in (
        "weights",
        "logits",
        "fits: h100 has 79.6 GiB",
        "assumed 40%",
        "Lambda",
        "rent or buy:",
        "answering:",
    ):
        assert what in told
    assert "memory of the machine for what is offloaded" in told


def test_without_a_method_the_cheapest_plan_that_fits(call):
    found = call("--model", "smollm2-1.7b", "--gpus", 1, "--json")
    assert found["fits"] and found["search"]["tried"] > 100
    others = [o["cost"] for o in found["search"]["others"] if o["fits"] and o["why"] is None and o["cost"]]
    assert found["cost"] == min(others)
    told = call("--model", "smollm2-1.7b", "--gpus", 1, "--gpu", "l4")
    assert "The cheapest of" in told and "What is against others" in told


def test_a_plan_that_does_not_fit_is_no_error_and_comes_with_what_does(call):
    found = call("--model", "llama-3.1-8b", "--method", "full", "--gpu", "4090", "--json")
    assert not found["fits"]
    assert [o["fits"] for o in found["instead"]] == [True] * 3
    assert "does NOT fit" in said(found)


def test_the_default_model_is_the_one_of_the_settings(call):
    found = call("--method", "full", "--gpu", "l4", "--json")
    assert found["model"]["name"] == "smollm2-135m-instruct"


@pytest.mark.parametrize(
    "name", ["Llama-3.1-8B", "meta-llama/Llama-3.1-8B-Instruct", "hf:meta-llama/Llama-3.1-8B@main"]
)
def test_a_model_is_known_by_other_spellings(call, name):
    found = call("--model", name, "--method", "lora", "--gpu", "h100", "--json")
    assert found["model"]["parameters"] == 8_030_261_248


def test_a_folder_is_a_model_and_numbers_are(call, tmp_path):
    told = {
        "model_type": "llama",
        "num_hidden_layers": 2,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_attention_heads": 4,
        "vocab_size": 100,
    }
    (tmp_path / "config.json").write_text(json.dumps(told))
    of_folder = call("--model", tmp_path, "--method", "full", "--gpu", "l4", "--json")["model"]
    facts = "layers=2 hidden=64 intermediate=128 heads=4 kv_heads=4 vocab=100".split()
    sets = [part for fact in facts for part in ("--set", fact)]
    of_numbers = call("--model", "mine", *sets, "--method", "full", "--gpu", "l4", "--json")["model"]
    assert (
        of_folder["parameters"]
        == of_numbers["parameters"]
        == 2 * 100 * 64 + 2 * (4 * 64**2 + 3 * 64 * 128 + 128) + 64
    )
    changed = call(
        "--model", "path:" + str(tmp_path), "--set", "layers=4", "--method", "full", "--gpu", "l4", "--json"
    )
    assert changed["model"]["architecture"]["layers"] == 4
    assert changed["model"]["architecture"]["source"].endswith(", changed")


def test_a_model_of_the_catalogue_without_an_architecture_is_read_from_its_folder(call):
    assert (
        call("--model", "tiny", "--method", "full", "--gpu", "l4", "--json")["model"]["parameters"] == 172_352
    )


def test_hours_are_of_tokens_or_of_examples(call):
    common = ("--model", "llama-3.1-8b", "--method", "lora", "--gpu", "h100", "--json")
    of_tokens = call(*common, "--tokens", 6_144_000)
    of_examples = call(*common, "--examples", 1000, "--epochs", 3)
    assert of_tokens["hours"] == of_examples["hours"]
    assert call(*common, "--mfu", 0.8)["hours"] == pytest.approx(call(*common, "--mfu", 0.4)["hours"] / 2)


def test_experts_that_stay_in_sixteen_bits_are_told(call):
    common = ("--model", "mixtral", "--method", "qlora", "--gpu", "b200", "--checkpointing", "--json")
    found, packed = call(*common), call(*common, "--quantised-experts")
    assert any("bitsandbytes leaves in 16 bits" in note for note in found["notes"])
    assert packed["memory"]["weights"] < found["memory"]["weights"] / 3


def test_prices_of_ones_own(call):
    common = ("--model", "smollm2-1.7b", "--method", "lora", "--checkpointing", "--prices", PRICES)
    found = call(*common, "--gpu", "large-80", "--json")
    assert [(c["provider"], c["per_hour"], c["baa"]) for c in found["costs"]] == [
        ("north", 2.5, False), ("west", 3.0, None), ("east", 56.0, True),
    ]  # fmt: skip
    assert found["cost"] == pytest.approx(2.5 * (found["hours"] + 0.25))
    assert found["rent_or_buy"]["machine"] == "rack"


def test_what_is_not_known_is_shown_as_unknown(call):
    common = ("--model", "smollm2-1.7b", "--method", "lora", "--checkpointing", "--prices", PRICES)
    told = call(*common, "--gpu", "large-80", "--gpus", 8)
    assert "unknown" in told and "2026-01-01, not certain" in told
    told = call(*common, "--gpu", "large-40")
    assert "No provider of the price file" in told and "no such machine to buy, or no rent" in told
    none = call(*common, "--gpu", "large-40", "--json")
    assert (none["costs"], none["cost"], none["rent_or_buy"]) == ([], None, None)


@pytest.mark.parametrize(
    ("arguments", "known"),
    [
        (("--model", "gpt-5"), "the catalogue has smollm2-135m-instruct"),
        (("--model", "llama"), "llama-3.2-1b-instruct or "),
        (("--model", "phi-4", "--gpu", "v100"), "known are l4"),
        (("--model", "phi-4", "--provider", "ibm"), "the price file has aws"),
        (("--model", "phi-4", "--set", "layers"), "has no '='"),
        (("--model", "phi-4", "--set", "depth=3"), "depth"),
        (("--model", "mine", "--set", "layers=3"), "hidden: Field required"),
        (("--model", "phi-4", "--set", "experts=8"), "active_experts"),
        (("--model", "phi-4", "--method", "lora", "--gpu", "l4", "--targets", "w1,w2"), "some of q_proj"),
        (("--model", "phi-4", "--offload", "all", "--zero", "2"), "--zero 3"),
        (("--model", "phi-4", "--method", "full", "--states", "bf16", "--zero", "1"), "--zero 0"),
        (("--model", "phi-4", "--tokens", "1000", "--examples", "10"), "not both"),
        (("--model", "phi-4", "--prices", "nowhere.yaml"), "nowhere.yaml"),
        (("--model", "path:nowhere"), "config.json cannot be read"),
        (("--model", "phi-4", "--zero", "4"), "--zero"),
    ],
)
def test_wrong_usage_is_2_and_says_what_is_known(call, arguments, known):
    assert known in call(*arguments, code=2)
