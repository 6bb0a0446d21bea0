"""Which tokens carry loss, for the forms of chat that base models use. `pytest -s` shows them, learned ones in brackets."""

from __future__ import annotations

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

from preceptor.models import resolve
from preceptor.settings import Workspace
from preceptor.training.data import to_chats

# The forms as the model families document them, for turns of user and assistant. What ends an answer must be learned, too,
# or the model never stops.
FORMS = {
    "the base's own": (None, "<|im_end|>"),
    "SmolLM, Qwen": (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
        "<|im_end|>",
    ),
    "Llama": (
        "<|begin_of_text|>{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n{{ m.content }}<|eot_id|>"
        "{% endfor %}{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}",
        "<|eot_id|>",
    ),
    "Mistral": (
        "<s>{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }}[/INST]{% else %} {{ m.content }}</s>"
        "{% endif %}{% endfor %}",
        "</s>",
    ),
    "Gemma": (
        "<bos>{% for m in messages %}<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n{{ m.content }}"
        "<end_of_turn>\n{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}",
        "<end_of_turn>",
    ),
}
QUESTION, ANSWER = "Which joint is swollen?", "The left knee, since Monday."


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("packing", [False, True])
def test_loss_is_on_the_answer_and_its_end_and_nothing_else(tmp_path, name, packing):
    template, end = FORMS[name]
    base = resolve("tiny", Workspace(tmp_path))
    tokenizer = AutoTokenizer.from_pretrained(base.path)
    tokenizer.chat_template = template or tokenizer.chat_template
    markers = [
        "<|begin_of_text|>",
        "<|start_header_id|>",
        "<|end_header_id|>",
        "<|eot_id|>",
        "[INST]",
        "[/INST]",
    ]
    markers += ["<s>", "</s>", "<bos>", "<start_of_turn>", "<end_of_turn>"]
    tokenizer.add_special_tokens({"additional_special_tokens": markers})
    rows = [
        {"example_id": str(n), "prompt": f"{QUESTION} ({n})", "answer": f"{ANSWER} ({n})"} for n in range(3)
    ]
    chats, _ = to_chats(rows, tokenizer, 512)
    model = AutoModelForCausalLM.from_pretrained(base.path)
    model.resize_token_embeddings(len(tokenizer))
    trainer = SFTTrainer(
        model=model,
        args=SFTConfig(
            output_dir=str(tmp_path),
            use_cpu=True,
            bf16=False,
            report_to="none",
            max_length=512,
            packing=packing,
        ),
        train_dataset=chats,
        processing_class=tokenizer,
    )
    batch = trainer.data_collator([trainer.train_dataset[n] for n in range(len(trainer.train_dataset))])
    pairs = [
        (token, label)
        for tokens, labels in zip(batch["input_ids"].tolist(), batch["labels"].tolist(), strict=True)
        for token, label in zip(tokens, labels, strict=True)
    ]
    learned = tokenizer.decode([token for token, label in pairs if label >= 0])
    shown = "".join(
        f"[{tokenizer.decode([token])}]" if label >= 0 else tokenizer.decode([token])
        for token, label in pairs
    )
    print(f"\n--- {name}, packing {packing}\n{shown}")
    answers = [part.strip() for part in learned.split(end)]
    assert [a for a in answers if a] == [row["answer"] for row in rows]
    assert learned.count(end) == 3
    assert QUESTION not in learned
