"""Sampling, text streams, prompts as evaluation asks them, adapters on one base."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preceptor.evaluation.arms import ArmModel
from preceptor.evaluation.loading import load_model, load_tokenizer
from preceptor.evaluation.prompting import Question, encode
from preceptor.models.sources import checkpoint_digest
from preceptor.serving.pieces import TextStream
from preceptor.serving.prompts import chat_ids
from preceptor.serving.sampling import Sampling
from preceptor.serving.sharing import SharedBases


@pytest.fixture(scope="module")
def base(base_folder) -> ArmModel:
    return ArmModel("tiny", base_folder, None, checkpoint_digest(base_folder))


@pytest.fixture(scope="module")
def tokenizer(base):
    return load_tokenizer(base)


def test_nucleus_keeps_the_fewest_tokens_that_fill_it():
    import torch

    logits = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
    sampling = Sampling(1.0, 0.6, seed=1)
    generator = sampling.generator()
    drawn = {sampling.choose(logits, generator) for _ in range(200)}
    assert drawn == {0, 1}  # 0.5 alone is not 0.6 yet, with 0.3 it is
    assert Sampling().choose(logits, None) == 0
    all_of_them = Sampling(1.0, 1.0, seed=1)
    generator = all_of_them.generator()
    counts = [all_of_them.choose(logits, generator) for _ in range(2000)]
    assert abs(counts.count(0) / 2000 - 0.5) < 0.05


@given(text=st.text(max_size=40), stop=st.text(min_size=1, max_size=3))
def test_pieces_add_up_to_the_text_before_the_stop(tokenizer, text, stop):
    for stops in ((), (stop,)):
        stream, shown = TextStream(tokenizer, stops), ""
        for token in tokenizer(text, add_special_tokens=False)["input_ids"]:
            if not stream.stopped:
                piece = stream.push(token)
                shown += piece
                assert stops == () or stop not in shown
        shown += stream.finish()
        whole = tokenizer.decode(
            tokenizer(text, add_special_tokens=False)["input_ids"], skip_special_tokens=True
        )
        assert shown == stream.text == (whole.partition(stop)[0] if stops else whole)


@given(text=st.text(min_size=1, max_size=60))
def test_a_question_comes_to_the_same_tokens_as_in_evaluation(tokenizer, text):
    asked = [{"role": "user", "content": text}]
    assert chat_ids(tokenizer, asked) == encode(tokenizer, Question(text), 4000).ids
    shown = encode(tokenizer, Question(text, retrieved=("an earlier case",)), 4000).ids
    assert chat_ids(tokenizer, asked, ["an earlier case"]) == shown


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_versions_on_one_base_have_evaluations_weights_and_share_the_rest(
    base_folder, make_adapter, base, dtype
):
    import torch

    bases = SharedBases(dtype)
    models = [ArmModel(f"m{n}", base_folder, make_adapter(n), str(n)) for n in (11, 12)]
    one, other = (bases.load(model) for model in models)
    for loaded, model in zip((one, other), models, strict=True):
        evaluated = dict(load_model(model, dtype).model.named_parameters())
        for name, weight in loaded.model.named_parameters():
            assert torch.equal(weight, evaluated[name]), name
    if dtype == "float32":
        kept = [m.model.get_input_embeddings().weight.data_ptr() for m in (one, other)]
        assert kept[0] == kept[1]
    for model in models:
        bases.release(model)
    assert bases.bases() == 0
