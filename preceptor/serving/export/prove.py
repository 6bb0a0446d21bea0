#!/usr/bin/env python3
"""Does this bundle answer as the evaluated model did? `python prove.py [--base FOLDER]`; exit 0 if so, 1 if not.

proof.json holds fictional questions as token ids, the evaluated model's greedy answers, and its largest logits at every
place of them. The bundle reads the same tokens; each logit may differ by `tolerance` times the range of the logits, which
is what the number format of the bundle's weights costs. Where the evaluated model's first choice leads by more than twice
that, the bundle's first choice must be the same. Checksums (SHA256SUMS) are compared first.

It needs Python, torch, transformers, for an adapter peft, for GGUF gguf; nothing of Preceptor, and no network.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any


def damaged(folder: Path) -> list[str]:
    """The files that are not what SHA256SUMS says, or are not in it."""
    listed = {}
    for line in (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
        digest, _, name = line.partition("  ")
        listed[name] = digest
    found = {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.is_file() and path.name != "SHA256SUMS" and "__pycache__" not in path.parts
    }
    wrong = sorted(listed.keys() ^ found.keys())
    for name in sorted(listed.keys() & found.keys()):
        with found[name].open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != listed[name]:
                wrong.append(name)
    return wrong


def load(folder: Path, how: dict[str, Any], base: Path | None) -> Any:
    """The bundle's model in float32."""
    import torch
    from transformers import AutoModelForCausalLM

    where = folder / how["path"]
    if how["format"] == "gguf":
        return AutoModelForCausalLM.from_pretrained(where, gguf_file=how["file"], dtype=torch.float32)
    if how["format"] == "adapter":
        from peft import PeftModel

        if base is None:
            sys.exit(f"The bundle is an adapter: name the folder of {how['base']} with --base.")
        return PeftModel.from_pretrained(
            AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), str(where)
        )
    return AutoModelForCausalLM.from_pretrained(where, dtype=torch.float32)


def compare(model: Any, proof: dict[str, Any]) -> dict[str, Any]:
    """The largest difference as a share of the logits' range, and how many clear first choices are others."""
    import torch

    model.eval()
    largest, clear, same, places = 0.0, 0, 0, 0
    for case in proof["cases"]:
        prompt, answer = case["prompt"], case["answer"]
        with torch.inference_mode():
            logits = model(input_ids=torch.tensor([prompt + answer])).logits[0, len(prompt) - 1 : -1].float()
        for row, ids, values, span in zip(
            logits, case["top_ids"], case["top_logits"], case["range"], strict=True
        ):
            expected = torch.tensor(values)
            difference = float((row[torch.tensor(ids)] - expected).abs().max()) / span
            largest = max(largest, difference) if difference == difference else float("inf")
            places += 1
            agrees = int(row.argmax()) == ids[0]
            same += agrees
            if values[0] - values[1] > 2 * proof["tolerance"] * span and not agrees:
                clear += 1
    return {
        "places": places,
        "largest_difference": largest,
        "tolerance": proof["tolerance"],
        "same_first_choice": same / max(1, places),
        "clear_choices_that_differ": clear,
        "proved": bool(places) and largest <= proof["tolerance"] and clear == 0,
    }


def main() -> int:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--base", type=Path, help="the base model's folder, for an adapter")
    given = options.parse_args()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    folder = Path(__file__).resolve().parent
    wrong = damaged(folder)
    if wrong:
        print(json.dumps({"proved": False, "damaged": wrong}))
        return 1
    proof = json.loads((folder / "proof.json").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as unpacked:
        if archive := proof["load"].get("archive"):
            with tarfile.open(folder / archive) as packed:
                packed.extractall(unpacked, filter="data")
            model = load(Path(unpacked), proof["load"], given.base)
        else:
            model = load(folder, proof["load"], given.base)
        found = compare(model, proof)
    print(json.dumps({"model": proof["model"], **found}))
    return 0 if found["proved"] else 1


if __name__ == "__main__":
    sys.exit(main())
