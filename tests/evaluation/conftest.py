"""A tiny model with random weights, and a small curated data set: real parts, made in a second."""

from __future__ import annotations

from pathlib import Path

import pytest

from preceptor.evaluation.arms import ArmModel
from preceptor.models.sources import checkpoint_digest
from preceptor.records import Example
from preceptor.tables import EXAMPLES, write_examples

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make_checkpoint(folder: Path, kind: str = "llama", seed: int = 0) -> Path:
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import (
        LlamaConfig,
        LlamaForCausalLM,
        MistralConfig,
        MistralForCausalLM,
        PreTrainedTokenizerFast,
    )

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(alphabet)}, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token="<|im_end|>", pad_token="<|im_end|>"
    )
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>"]})
    tokenizer.chat_template = TEMPLATE
    sizes = {
        "vocab_size": len(tokenizer),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": None,
        "initializer_range": 0.3,  # large, so that continuations differ between prompts
    }
    torch.manual_seed(seed)
    model = (
        LlamaForCausalLM(LlamaConfig(**sizes))
        if kind == "llama"
        else MistralForCausalLM(MistralConfig(**sizes, sliding_window=24))
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> ArmModel:
    folder = make_checkpoint(tmp_path_factory.mktemp("models") / "base")
    return ArmModel("tiny", folder, None, checkpoint_digest(folder))


@pytest.fixture(scope="session")
def tuned(tmp_path_factory: pytest.TempPathFactory, base: ArmModel) -> ArmModel:
    """The base model with a LoRA adapter whose weights are random, so that it answers otherwise."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(1)
    config = LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base.path), config)
    folder = tmp_path_factory.mktemp("models") / "adapter"
    model.save_pretrained(folder)
    return ArmModel("tiny tuned", base.path, folder, checkpoint_digest(folder))


TASK_ANSWERS = {
    "summary": "The patient has a cough for 3 weeks. Plan: rest.",
    "coding_cardiology": "I50.23: shortness of breath; BNP 1,800\nI10: blood pressure 160",
    "differential": "1. Heart failure — for: oedema; against: none\n2. Pneumonia — for: fever; against: none",
}


def make_example(number: int, split: str, task: str, patient: str | None = None, **more: object) -> Example:
    prompt = (
        f"Do the task {task} on this document.\n\nVisit number {number}: the patient reports shortness of breath, "
        f"BNP 1,800, blood pressure 160, a cough for 3 weeks and {'very ' * (number % 5)}swollen legs."
    )
    return Example(
        example_id=f"{split}-{task}-{number}",
        task=task,
        split=split,
        patient_ref=patient or f"patient-{split}-{number}",
        document_refs=(f"document-{split}-{task}-{number}",),
        specialty="cardiology",
        prompt=prompt,
        answer=TASK_ANSWERS[task],
        **more,  # type: ignore[arg-type]
    )


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("curated") / "abc-def"
    folder.mkdir()
    examples = [
        make_example(number, split, task)
        for task in TASK_ANSWERS
        for split, count in (("train", 6), ("validation", 2), ("test", 4))
        for number in range(count)
    ]
    write_examples(folder / EXAMPLES, examples)
    return folder


@pytest.fixture(scope="session")
def checkpoint_maker():
    return make_checkpoint


@pytest.fixture(scope="session")
def example_maker():
    return make_example
