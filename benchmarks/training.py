"""Training speed on a CPU against TRL's own trainer, on the same packs: `python benchmarks/training.py`.

Both train the base model of the demo with LoRA for a few steps on the packs made of generated examples, prompts five
times as long as their answers. Printed are the tokens a second of each, their ratio, and the largest difference of the
losses step by step. Once each before measuring, since the first step of a process is slower.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from pathlib import Path
from typing import Any

from preceptor.settings import Workspace

STEPS = 6
EXAMPLES = 12


def main() -> None:
    """Measure, and print one JSON object."""
    from trl import SFTTrainer

    from preceptor.models import resolve
    from preceptor.training.answer_loss import AnswerLossTrainer

    with tempfile.TemporaryDirectory() as folder:
        base = resolve("smollm2-135m-instruct", Workspace(Path("var")))
        runs = {}
        for kind in (SFTTrainer, AnswerLossTrainer):
            train(kind, base.path, folder, steps=1)
            runs[kind.__name__] = train(kind, base.path, folder, steps=STEPS)
    (their_speed, their_losses), (our_speed, our_losses) = runs.values()
    print(
        json.dumps(
            {
                "trl_tokens_per_s": round(their_speed, 1),
                "ours_tokens_per_s": round(our_speed, 1),
                "ratio": round(our_speed / their_speed, 2),
                "largest_loss_difference": max(
                    abs(a - b) for a, b in zip(their_losses, our_losses, strict=True)
                ),
            }
        )
    )


def train(kind: Any, base: Path, folder: str, steps: int) -> tuple[float, list[float]]:
    """Return tokens a second and the loss of each step."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, set_seed
    from trl import SFTConfig

    from preceptor.training.precision import choose_dtype

    set_seed(20)
    dtype = choose_dtype("auto")
    trainer = kind(
        model=AutoModelForCausalLM.from_pretrained(base, dtype=dtype),
        args=SFTConfig(
            output_dir=folder,
            max_length=1024,
            packing=True,
            packing_strategy="bfd",
            per_device_train_batch_size=1,
            max_steps=steps,
            learning_rate=4e-4,
            bf16=str(dtype) == "torch.bfloat16",
            use_cpu=True,
            gradient_checkpointing=False,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        ),
        train_dataset=Dataset.from_list([example(n) for n in range(EXAMPLES)]),
        processing_class=AutoTokenizer.from_pretrained(base),
        peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"),
    )
    trainer.remove_callback(PrinterCallback)
    packs = trainer.train_dataset["input_ids"]
    started = time.perf_counter()
    trainer.train()
    elapsed = time.perf_counter() - started
    tokens = steps * sum(map(len, packs)) / len(packs)
    return tokens / elapsed, [row["loss"] for row in trainer.state.log_history if "loss" in row]


def example(number: int) -> dict[str, Any]:
    """A chat of random words: 400 asked, 80 answered."""
    words = random.Random(number).choices(
        "pain fever cough rest knee heart stable chronic left right mild review plan daily tablet scan".split(),
        k=480,
    )
    return {
        "prompt": [{"role": "user", "content": " ".join(words[:400])}],
        "completion": [{"role": "assistant", "content": " ".join(words[400:])}],
    }


if __name__ == "__main__":
    main()
