"""Likelihoods in batches are those of one forward pass each, whatever is shared or padded, and are kept."""

from __future__ import annotations

import pytest
import torch

from preceptor.evaluation.arms import ArmModel
from preceptor.evaluation.likelihood import Continuation, likelihoods, log_likelihoods
from preceptor.evaluation.loading import load_model

ITEMS = [
    Continuation((5, 6, 7, 8), (9, 10)),
    Continuation((5, 6, 7, 8), (11,)),
    Continuation((5, 6, 7, 8), (12, 13, 14, 15, 16)),
    Continuation((20,), (21, 22)),
    Continuation((20,), (23,)),
    Continuation(tuple(range(40, 70)), (1, 2, 3)),
]


def alone(model, item):
    ids = torch.tensor([[*item.context, *item.target]])
    with torch.no_grad():
        told = model(input_ids=ids).logits[0].log_softmax(-1)
    places = range(len(item.context) - 1, ids.shape[1] - 1)
    return [float(told[p, t]) for p, t in zip(places, item.target, strict=True)], [
        int(told[p].argmax()) == t for p, t in zip(places, item.target, strict=True)
    ]


@pytest.mark.parametrize("kind", ["llama", "mistral"])  # the latter's windows let no keys be shared
@pytest.mark.parametrize("batch_tokens", [1, 2048])
def test_every_token_is_as_likely_as_in_a_pass_of_its_own(checkpoint_maker, tmp_path, kind, batch_tokens):
    loaded = load_model(ArmModel("m", checkpoint_maker(tmp_path / "m", kind), None, "d"), "float32")
    items = [*ITEMS]
    # One target that is what the model itself would write, so that there is something greedy to find.
    with torch.no_grad():
        told = loaded.model(input_ids=torch.tensor([[5, 6, 7, 8]])).logits
    items.append(Continuation((5, 6, 7, 8), (int(told[0, -1].argmax()),)))
    found = dict(log_likelihoods(loaded, items, batch_tokens))
    assert sorted(found) == list(range(len(items))) and found[6].greedy == (True,)
    for place, item in enumerate(items):
        expected, greedy = alone(loaded.model, item)
        assert found[place].log_probabilities == pytest.approx(expected, abs=2e-5)
        assert list(found[place].greedy) == greedy
        assert found[place].total == pytest.approx(sum(expected), abs=1e-4)
        assert found[place].mean == pytest.approx(sum(expected) / len(expected), abs=1e-4)


def test_a_learned_prompt_stands_before_the_context(base, tmp_path):
    from peft import PromptTuningConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(3)
    config = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base.path), config)
    model.save_pretrained(tmp_path / "prompt")
    loaded = load_model(ArmModel("m", base.path, tmp_path / "prompt", "d"), "float32")
    found = dict(log_likelihoods(loaded, ITEMS))
    plain = dict(log_likelihoods(load_model(base, "float32"), ITEMS))
    for place, item in enumerate(ITEMS):
        ids = torch.tensor([[*item.context, *item.target]])
        with torch.no_grad():
            told = loaded.model(input_ids=ids).logits[0].log_softmax(-1)[-len(item.target) - 1 : -1]
        expected = [float(row[t]) for row, t in zip(told, item.target, strict=True)]
        assert found[place].log_probabilities == pytest.approx(expected, abs=2e-5)
        assert found[place] != plain[place]


def test_what_is_known_is_not_computed_again_and_only_for_the_same_model(base, tmp_path, monkeypatch):
    first = likelihoods(base, ITEMS[:4], "float32", tmp_path)
    asked = []

    def counted(loaded, items, *rest):
        asked.extend(items)
        return log_likelihoods(loaded, items, *rest)

    monkeypatch.setattr("preceptor.evaluation.likelihood.log_likelihoods", counted)
    ticks = []
    again = likelihoods(base, [*ITEMS, ITEMS[0]], "float32", tmp_path, lambda *t: ticks.append(t))
    assert again[:4] == first and again[-1] == first[0] and asked == ITEMS[4:]
    assert ticks[0] == (5, 7) and ticks[-1] == (7, 7)
    other = ArmModel("other", base.path, None, "another digest")
    (anew,) = likelihoods(other, ITEMS[:1], "float32", tmp_path)
    assert anew.total == pytest.approx(first[0].total, abs=1e-4) and len(asked) == 3
