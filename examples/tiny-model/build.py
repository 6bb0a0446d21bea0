"""Make the tiny model of the tests and the smoke profile: random weights, a small tokenizer. It knows nothing.

`python examples/tiny-model/build.py` writes the checkpoint beside this file. The tokenizer learns its pieces from the
hand-written notes with every identifier taken out.
"""

from __future__ import annotations

import json
import runpy
from pathlib import Path

HERE = Path(__file__).parent
NOTES = HERE.parent.parent / "tests" / "gold"
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def texts() -> list[str]:
    """The notes without their identifiers."""
    read_all = runpy.run_path(str(NOTES / "convert.py"))["read_notes"]
    found = []
    for note in read_all(NOTES / "gold.txt"):
        text = note["text"]
        for span in reversed(note["spans"]):
            text = text[: span["start"]] + text[span["end"] :]
        found.append(text)
    return found


def main() -> None:
    """Write config.json, model.safetensors and the tokenizer."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    trainer = trainers.BpeTrainer(
        vocab_size=1536,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts(), trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|im_start|>",
        eos_token="<|im_end|>",
        pad_token="<|im_end|>",
        unk_token="<|endoftext|>",
    )
    fast.chat_template = TEMPLATE
    fast.model_max_length = 4096
    fast.save_pretrained(HERE)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(fast),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        tie_word_embeddings=True,
        bos_token_id=fast.bos_token_id,
        eos_token_id=fast.eos_token_id,
        pad_token_id=fast.pad_token_id,
    )
    model = LlamaForCausalLM(config)
    model.save_pretrained(HERE)
    print(json.dumps({"parameters": model.num_parameters(), "vocabulary": len(fast)}))


if __name__ == "__main__":
    main()
