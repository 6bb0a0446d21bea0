"""What the recipe and the machine mean for the trainer: the arguments of TRL's, and DeepSpeed's configuration."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from preceptor.errors import PreceptorError
from preceptor.training.jobs import TrainingJob
from preceptor.training.recipe import Recipe


def trainer_arguments(
    job: TrainingJob,
    recipe: Recipe,
    dtype: Any,
    on_cuda: bool,
    distributed: bool,
    has_validation: bool,
    checkpointing: bool,
    universal: bool = False,
) -> Any:
    """The `SFTConfig` or `DPOConfig` of a job; `universal`: it resumes from what other processes than as many have left.

    Raises `PreceptorError` for ZeRO in a single process.
    """
    import torch
    from trl import DPOConfig, SFTConfig

    batch, optimizer = recipe.batch, recipe.optimizer
    evaluating = "steps" if recipe.stopping.evaluate_steps else "epoch"
    if recipe.zero_stage and not distributed:
        raise PreceptorError("zero_stage needs more than one process: --gpus, or training.processes.")
    common: dict[str, Any] = {
        "output_dir": str(Path(job.folder) / "checkpoints"),
        "seed": recipe.seed,
        "data_seed": recipe.seed,
        "max_length": batch.max_length,
        "per_device_train_batch_size": 1,
        "per_device_eval_batch_size": 1,
        "gradient_accumulation_steps": accumulation(recipe, job.processes),
        "learning_rate": optimizer.learning_rate,
        "lr_scheduler_type": optimizer.schedule,
        "warmup_steps": optimizer.warmup_share,
        "weight_decay": optimizer.weight_decay,
        "max_grad_norm": optimizer.max_grad_norm,
        "optim": "adamw_torch" if recipe.zero_stage else "adamw_torch_fused",
        "num_train_epochs": recipe.epochs,
        "max_steps": recipe.max_steps or -1,
        "bf16": dtype == torch.bfloat16,
        "fp16": dtype == torch.float16,
        "use_cpu": not on_cuda,
        "use_liger_kernel": on_cuda and find_spec("liger_kernel") is not None,
        "gradient_checkpointing": checkpointing,  # TRL's default is on
        "logging_steps": 1,
        "logging_first_step": True,
        "logging_nan_inf_filter": False,  # else a loss that is no number is shown as the mean of the others
        "eval_strategy": evaluating if has_validation else "no",
        "eval_steps": recipe.stopping.evaluate_steps or None,
        "save_strategy": "steps",
        "save_steps": recipe.checkpoint_steps,
        "save_total_limit": 2,
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": on_cuda,
        "ddp_backend": None if on_cuda or not distributed else "gloo",
        "deepspeed": _deepspeed(recipe, universal) if distributed and recipe.zero_stage else None,
    }
    if recipe.objective == "preferences":
        return DPOConfig(**common, beta=recipe.preference.beta)
    # Both ways pack whole examples and restart positions, so that packed examples do not see each other ("wrapped" would
    # let them); a note that is longer than a pack goes on in the next, an example is never cut.
    way = "bfd_split" if recipe.objective == "notes" else "bfd"
    return SFTConfig(
        **common, packing=batch.packing, packing_strategy=way, eval_packing=recipe.objective == "notes"
    )


def accumulation(recipe: Recipe, processes: int) -> int:
    """The packs that each process takes one after the other before a step, so that all together take the recipe's tokens."""
    return max(1, round(recipe.batch.tokens / recipe.batch.max_length / processes))


def _deepspeed(recipe: Recipe, universal: bool) -> dict[str, Any]:
    zero: dict[str, Any] = {
        "stage": recipe.zero_stage,
        "stage3_gather_16bit_weights_on_model_save": True,
    }
    for name, where in (("optimizer", recipe.offload.optimizer), ("param", recipe.offload.parameters)):
        if where == "cpu":
            zero[f"offload_{name}"] = {"device": "cpu", "pin_memory": True}
        elif where == "nvme":
            zero[f"offload_{name}"] = {
                "device": "nvme",
                "nvme_path": recipe.offload.nvme_path,
                "pin_memory": True,
            }
    return {
        "zero_optimization": zero,
        "bf16": {"enabled": "auto"},
        "fp16": {"enabled": "auto"},
        "checkpoint": {"load_universal": universal},
        "zero_allow_untested_optimizer": True,
        # Its own Adam on the CPU is compiled when first used; torch's needs no compiler.
        "zero_force_ds_cpu_optimizer": False,
        "train_micro_batch_size_per_gpu": "auto",
        "gradient_accumulation_steps": "auto",
        "train_batch_size": "auto",
        "gradient_clipping": "auto",
    }
