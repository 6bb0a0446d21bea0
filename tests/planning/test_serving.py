"""What answering takes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preceptor.models import Architecture, load_catalogue
from preceptor.planning.prices import load_prices
from preceptor.planning.serving import serving

CATALOGUE = {name: entry.architecture for name, entry in load_catalogue().items()}
GPUS = load_prices().gpus
LLAMA_2 = Architecture(layers=32, hidden=4096, intermediate=11008, heads=32, kv_heads=32, vocab=32000)


@pytest.mark.parametrize(
    ("model", "tokens", "gib"),
    # Hugging Face, "Llama 3.1", 2024-07-23: the cache in 16 bits; its 16k and 128k are 16,000 and 128,000.
    [
        ("llama-3.1-8b-instruct", 1024, 0.125),
        ("llama-3.1-8b-instruct", 16_000, 1.95),
        ("llama-3.1-8b-instruct", 128_000, 15.62),
        ("llama-3.1-70b-instruct", 1024, 0.313),
        ("llama-3.1-70b-instruct", 16_000, 4.88),
        ("llama-3.1-70b-instruct", 128_000, 39.06),
    ],
)
def test_the_cache_of_keys_and_values(model, tokens, gib):
    found = serving(CATALOGUE[model], GPUS["h100"], 1, tokens)
    assert found.cache / 2**30 == pytest.approx(gib, rel=0.005)


@pytest.mark.parametrize(("quantised", "gb"), [(False, 13.52), (True, 4.26)])
def test_weights_take_what_litgpt_measured(quantised, gb):
    # tutorials/resource-tables.md of LitGPT, 2023-10-20: Llama 2 7B, one sequence; NF4 with double quantisation.
    assert serving(LLAMA_2, GPUS["a100-40gb"], 1, 256, quantised).total / 1e9 == pytest.approx(gb, rel=0.06)


def test_one_sequence_is_written_as_fast_as_the_weights_are_read():
    found = serving(LLAMA_2, GPUS["h100"], 1, 2, mbu=1.0)
    assert found.tokens_per_second == pytest.approx(3350e9 / (2 * LLAMA_2.parameters), rel=0.001)


def test_as_many_gpus_as_the_weights_and_the_cache_need():
    assert serving(CATALOGUE["llama-3.1-70b-instruct"], GPUS["h100"], 1, 2048).gpus == 2
    assert serving(CATALOGUE["llama-3.1-70b-instruct"], GPUS["rtx-4090"], 1, 2048).gpus == 7


def test_few_sequences_read_few_experts():
    mixtral = CATALOGUE["mixtral-8x7b-instruct-v0.1"]
    one, many = (serving(mixtral, GPUS["h200"], n, 2).tokens_per_second / n for n in (1, 64))
    assert one > 3 * many


@settings(deadline=None)  # a busy machine is no reason to fail
@given(
    st.sampled_from([a for a in CATALOGUE.values() if a]),
    st.sampled_from(list(GPUS.values())),
    st.integers(1, 200),
    st.integers(1, 100_000),
)
def test_more_sequences_and_longer_ones_never_take_less(model, gpu, sequences, length):
    found = serving(model, gpu, sequences, length)
    assert serving(model, gpu, sequences + 1, length).total > found.total
    assert serving(model, gpu, sequences, length + 1).total > found.total
