"""Going on with another number of processes than a checkpoint was written by.

Without ZeRO every process has all of it, and nothing need be done. With ZeRO each wrote its part: DeepSpeed puts the parts
together into its universal format (Lian et al. 2024), and loads from that.
"""

from __future__ import annotations

import shutil
from argparse import Namespace
from pathlib import Path

from preceptor.errors import PreceptorError
from preceptor.training.arguments import accumulation
from preceptor.training.checkpoints import written_by
from preceptor.training.recipe import Recipe

_LATEST = "latest_universal"  # DeepSpeed writes it last


def universal_needed(checkpoint: Path | None, recipe: Recipe, processes: int) -> bool:
    """Whether the checkpoint to go on from must be made universal first.

    Raises `PreceptorError` where so many processes cannot take the same packs a step: that would be another training.
    """
    if checkpoint is None:
        return False
    wrote, batch = written_by(checkpoint)
    now = processes * accumulation(recipe, processes)
    if now != batch:
        raise PreceptorError(
            f"{checkpoint.name} was written with {batch} packs a step by {wrote} processes; {processes} would take {now} (rule "
            "other-batch). Choose a number that divides them, or change the recipe's seed to begin anew."
        )
    return wrote != processes and recipe.zero_stage > 0


def make_universal(checkpoint: Path) -> None:
    """Convert the parts of a ZeRO checkpoint, beside them; one process does it, the others wait."""
    from deepspeed.checkpoint.ds_to_universal import main

    if (checkpoint / _LATEST).exists():
        return
    parts = checkpoint / (checkpoint / "latest").read_text().strip()
    whole = parts.with_name(f"{parts.name}_universal")
    if whole.exists():  # killed while it was made
        shutil.rmtree(whole)
    main(
        Namespace(
            input_folder=str(parts),
            output_folder=str(whole),
            num_extract_workers=1,
            num_merge_workers=1,
            keep_temp_folder=False,
            strict=True,
            inject_missing_state=True,
        )
    )
