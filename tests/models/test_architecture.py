"""What a model is built of, against the hub's counts of its weights."""

from __future__ import annotations

import json

import pytest

from preceptor.errors import UsageError
from preceptor.models import Architecture, load_catalogue, read_architecture

TOLD = {name: entry for name, entry in load_catalogue().items() if entry.architecture}
LLAMA = {
    "model_type": "llama",
    "num_hidden_layers": 32,
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
}


@pytest.fixture
def config(tmp_path):
    def write(**values):
        (tmp_path / "config.json").write_text(json.dumps(values))
        return tmp_path

    return write


@pytest.mark.parametrize("name", TOLD)
def test_the_weights_that_follow_are_those_that_are_published(name):
    entry = TOLD[name]
    assert entry.architecture.parameters == pytest.approx(entry.parameters, rel=1e-4)
    assert entry.architecture.source and entry.architecture.read


def test_the_well_known_models_are_there():
    names = " ".join(TOLD)
    for family in (
        "llama-3.1-8b",
        "llama-3.1-70b",
        "mistral-7b",
        "mixtral-8x7b",
        "medgemma-4b",
        "phi-4",
        "olmo-2-7b",
    ):
        assert family in names


def test_a_token_passes_through_two_of_eight_experts_and_through_no_embedding_table():
    mixtral = TOLD["mixtral-8x7b-instruct-v0.1"].architecture
    # Jiang et al. 2024, Mixtral of Experts: 47 billion weights, 13 billion of them active.
    assert mixtral.active + mixtral.vocab * mixtral.hidden == pytest.approx(13e9, rel=0.02)
    tied = TOLD["llama-3.2-1b-instruct"].architecture
    assert tied.active == pytest.approx(tied.parameters, rel=1e-4)  # the table is the output layer, too


def test_a_folder_says_it_in_config_json(config):
    found = read_architecture(config(**LLAMA))
    assert found.parameters == 8_030_261_248
    assert (found.queries, found.keys, found.tied) == (4096, 1024, False)


def test_what_a_family_has_unless_the_file_says_otherwise_is_known(config):
    # As google/gemma-3-4b-it writes it: of the language model only what differs from the class.
    text = {
        "model_type": "gemma3_text",
        "hidden_size": 2560,
        "intermediate_size": 10240,
        "num_hidden_layers": 34,
    }
    found = read_architecture(config(model_type="gemma3", text_config=text, vision_config={}))
    beside = TOLD["gemma-3-4b-it"].architecture.beside
    assert found.parameters == TOLD["gemma-3-4b-it"].parameters - beside


def test_experts_have_a_width_of_their_own(config):
    # Qwen3-30B-A3B: 30.5 billion weights, 3.3 billion active (Qwen3 technical report, 2025).
    found = read_architecture(
        config(
            model_type="qwen3_moe",
            num_hidden_layers=48,
            hidden_size=2048,
            intermediate_size=6144,
            moe_intermediate_size=768,
            num_attention_heads=32,
            num_key_value_heads=4,
            vocab_size=151936,
            num_experts=128,
            num_experts_per_tok=8,
        )
    )
    assert found.parameters == pytest.approx(30.5e9, rel=0.01)
    assert found.active + found.vocab * found.hidden == pytest.approx(3.3e9, rel=0.02)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (LLAMA | {"model_type": "mamba"}, "'mamba'.*--set"),
        ({k: v for k, v in LLAMA.items() if k != "hidden_size"}, "hidden_size is missing"),
        (LLAMA | {"vocab_size": -1}, "vocab: a positive whole number"),
    ],
)
def test_a_file_that_says_too_little_is_a_usage_error(config, values, said):
    with pytest.raises(UsageError, match=said):
        read_architecture(config(**values))


def test_a_folder_without_a_file_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match=r"config\.json cannot be read"):
        read_architecture(tmp_path)


def test_an_unknown_fact_is_refused():
    with pytest.raises(ValueError, match="layer"):
        Architecture(layer=1, layers=1, hidden=1, intermediate=1, heads=1, kv_heads=1, vocab=1)
