"""Estimated against measured memory of training: `python benchmarks/memory.py --home HOME [--steps 3]`.

HOME has been through `preceptor run --until synthetic_examples`. A line for each of twelve configurations of model size, method, batch,
length and checkpointing: what `training.estimate` says before, and the peak of the process that trained. The model of 362 million weights has the
shape of SmolLM2-360M and random weights: memory does not depend on what they are.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

SMALL, LARGER = "135M", "362M"
# huggingface.co/HuggingFaceTB/SmolLM2-360M, config.json
SHAPE_360M = {
    "hidden_size": 960,
    "intermediate_size": 2560,
    "num_hidden_layers": 32,
    "num_attention_heads": 15,
    "num_key_value_heads": 5,
    "head_dim": 64,
}
# model, recipe, and what is changed in it
CONFIGURATIONS: list[tuple[str, str, dict[str, Any]]] = [
    (SMALL, "lora-cpu", {"batch.max_length": 512, "batch.tokens": 512}),
    (SMALL, "lora-cpu", {}),
    (SMALL, "lora-cpu", {"batch.max_length": 2048, "batch.tokens": 2048}),
    (SMALL, "lora-cpu", {"checkpointing": "on"}),
    (SMALL, "lora-cpu", {"checkpointing": "on", "batch.max_length": 2048, "batch.tokens": 2048}),
    (SMALL, "lora-cpu", {"method.rank": 64, "method.alpha": 64}),
    (SMALL, "full-cpu", {"batch.max_length": 512, "batch.tokens": 512}),
    (SMALL, "full-cpu", {"checkpointing": "on"}),
    (SMALL, "pissa-cpu", {}),
    (SMALL, "prompt-cpu", {}),
    (LARGER, "lora-cpu", {"batch.max_length": 512, "batch.tokens": 512}),
    (LARGER, "full-cpu", {"checkpointing": "on", "batch.max_length": 512, "batch.tokens": 512}),
]


def main() -> None:
    from preceptor.models import resolve
    from preceptor.release.registry import experiment, tracking_of
    from preceptor.settings import Workspace, load_settings
    from preceptor.training.brief import trained
    from preceptor.training.recipe import load_recipe
    from preceptor.versions import newest

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=3)
    given = parser.parse_args()
    os.environ["PYTHONWARNINGS"] = "ignore"
    workspace, settings = Workspace(given.home), load_settings()
    bases = {SMALL: resolve(settings.base_model, workspace)}
    larger = given.home / "model-362m"
    if not larger.exists():
        _random(bases[SMALL].path, larger)
    bases[LARGER] = resolve(f"path:{larger}", workspace)
    tracking = tracking_of(workspace)
    data = [newest(workspace.data, stage) for stage in ("curated", "synthetic")]
    print("| model | recipe | changed | estimated MB | peak MB | miss |\n|---|---|---|---|---|---|")
    for size, name, changes in CONFIGURATIONS:
        fixed = {
            "max_steps": given.steps,
            "checkpoint_steps": 1000,
            "stopping.keep": "last",
            "stopping.evaluate_steps": 1000,
        }
        recipe = load_recipe(ROOT / "recipes" / "train" / f"{name}.yaml", fixed | changes)
        (found,) = trained(
            workspace, bases[size], [(data, recipe)], tracking.uri, experiment(tracking, "memory")
        )
        estimate, peak = found["estimated_memory_mb"], found["peak_memory_mb"]
        said = ", ".join(f"{key.rpartition('.')[2]} {value}" for key, value in changes.items())
        print(
            f"| {size} | {name} | {said} | {estimate:,} | {peak:,} | {estimate / peak - 1:+.0%} |", flush=True
        )


def _random(like: Path, folder: Path) -> None:
    """A checkpoint with random weights and the tokenizer of `like`."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    config = AutoConfig.from_pretrained(like)
    for key, value in SHAPE_360M.items():
        setattr(config, key, value)
    torch.manual_seed(0)
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    AutoModelForCausalLM.from_config(config).save_pretrained(part)
    AutoTokenizer.from_pretrained(like).save_pretrained(part)
    part.rename(folder)


if __name__ == "__main__":
    main()
