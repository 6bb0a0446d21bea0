"""A training recipe: a YAML file that says all of how a model is trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from preceptor.settings import merge, read_yaml, validated

Objective = Literal["answers", "notes", "preferences"]
MethodName = Literal["full", "lora", "rslora", "dora", "pissa", "qlora", "ia3", "prompt"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Method(_Section):
    """Which weights learn, and how they begin. `targets` are module names, or `all-linear` (Dettmers et al. 2023: it
    matters); `ia3` has its own unless they are named.

    - `full`: all weights
    - `lora` (Hu et al. 2021); `rslora`, scaled for high ranks (Kalajdzievski 2023); `dora`, direction and length apart (Liu
      et al. 2024); `pissa`, begun from the largest singular values (Meng et al. 2024); `qlora`, on a base in 4-bit NF4 with
      double quantisation (Dettmers et al. 2023)
    - `ia3`: vectors that scale keys, values and the inner layer (Liu et al. 2022)
    - `prompt`: `virtual_tokens` learned embeddings before every question (Lester et al. 2021); not packed
    """

    name: MethodName = "lora"
    rank: int = Field(default=16, ge=1)
    alpha: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    targets: str | tuple[str, ...] = "all-linear"
    virtual_tokens: int = Field(default=16, ge=1)


class Batch(_Section):
    """`tokens` are per optimizer step over all processes; packs of `max_length` tokens fill them."""

    tokens: int = Field(default=4096, ge=64)
    max_length: int = Field(default=1024, ge=64)
    packing: bool = True


class Optimizer(_Section):
    learning_rate: float = Field(default=4e-4, gt=0)
    schedule: Literal["linear", "cosine", "constant"] = "cosine"
    warmup_share: float = Field(default=0.05, ge=0, lt=1)
    weight_decay: float = Field(default=0.0, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)


class Emphasis(_Section):
    """The examples that this names, by all that it says, are shown `weight` times as often as others."""

    weight: float = Field(gt=0, le=20)
    task: str | None = None
    specialty: str | None = None
    provenance: Literal["clinical", "synthetic"] | None = None


class Sampling(_Section):
    """How often an example is shown in a pass. `population`: by the weights toward `curation.population` that curation
    gave it; those and the weights of every emphasis that names it are multiplied."""

    population: bool = False
    emphasis: tuple[Emphasis, ...] = ()


class Stopping(_Section):
    """`patience`: so many evaluations in a row without a lower validation loss end the training; 0: never. `keep`: the
    weights of the evaluation with the lowest loss, or the last ones. `evaluate_steps`: 0 is once a pass."""

    patience: int = Field(default=0, ge=0)
    keep: Literal["best", "last"] = "best"
    evaluate_steps: int = Field(default=0, ge=0)


class Preference(_Section):
    """`beta` of DPO: how dear it is to leave the base's ways (Rafailov et al. 2023)."""

    beta: float = Field(default=0.1, gt=0)


class Canaries(_Section):
    """Invented secrets planted among the rows, by which evaluation measures what the model keeps word for word (Carlini et al.
    2019; preceptor/canaries.py). The n-th is shown as often in every pass as the n-th of `repeats` says, which begin again."""

    count: int = Field(default=0, ge=0, le=64)  # 0: a clinical model holds nothing that nobody asked for
    repeats: tuple[Annotated[int, Field(ge=1, le=1000)], ...] = Field(default=(1, 4, 16), min_length=1)


class Offload(_Section):
    """What DeepSpeed keeps outside the GPU while it is not needed: `optimizer` from ZeRO-1 on (Ren et al. 2021), `parameters`
    with ZeRO-3 (Rajbhandari et al. 2021). `nvme` is ZeRO-3's, in `nvme_path` on a local disk."""

    optimizer: Literal["none", "cpu", "nvme"] = "none"
    parameters: Literal["none", "cpu", "nvme"] = "none"
    nvme_path: str = ""

    def needs(self) -> int:
        """The lowest stage of ZeRO that has all of it."""
        if self.parameters != "none" or self.optimizer == "nvme":
            return 3
        return 0 if self.optimizer == "none" else 1


class Recipe(_Section):
    """How a model is trained. See recipes/train/ for commented examples.

    `objective`: `answers` learns the answers of the examples; `notes` goes on with pre-training, on the de-identified notes
    themselves; `preferences` learns to prefer what clinicians wrote to what they corrected (DPO).
    """

    objective: Objective = "answers"
    method: Method = Method()
    batch: Batch = Batch()
    optimizer: Optimizer = Optimizer()
    sampling: Sampling = Sampling()
    stopping: Stopping = Stopping()
    preference: Preference = Preference()
    canaries: Canaries = Canaries()
    epochs: float = Field(default=3.0, gt=0)
    max_steps: int = Field(default=0, ge=0)  # 0: as many as the epochs take
    max_minutes: float = Field(
        default=0, ge=0
    )  # 0: no limit; else stops at a step, keeps what it has, and says so
    precision: Literal["auto", "bf16", "fp16", "fp32"] = (
        "auto"  # fp16, with a scaled loss: for GPUs without bf16
    )
    zero_stage: Literal[0, 1, 2, 3] = 0  # DeepSpeed ZeRO; 0 is plain data parallel
    offload: Offload = Offload()
    # Compute activations again in the backward pass: a third more time for most of their memory. auto: if need be.
    checkpointing: Literal["auto", "on", "off"] = "auto"
    checkpoint_steps: int = Field(default=10, ge=1)
    seed: int = 20

    @model_validator(mode="after")
    def _fits_together(self) -> Recipe:
        if self.method.name == "prompt" and self.batch.packing:
            raise ValueError(
                "method.name: prompt needs batch.packing: false; packed examples would share a prompt"
            )
        if self.objective == "preferences" and self.method.name in ("full", "prompt"):
            raise ValueError(
                "objective: preferences compares with the base under the adapter; choose an adapter of weights"
            )
        if self.zero_stage == 3 and self.method.name in ("pissa", "qlora"):
            raise ValueError(
                f"method.name: {self.method.name} cannot be begun on weights in parts (zero_stage: 3)"
            )
        if self.zero_stage < self.offload.needs():
            raise ValueError(f"offload: needs zero_stage: {self.offload.needs()}")
        if "nvme" in (self.offload.optimizer, self.offload.parameters) and not self.offload.nvme_path:
            raise ValueError("offload.nvme_path: say where, on a local disk")
        return self


def schema() -> dict[str, Any]:
    """The JSON schema of a recipe, by which editors complete and check it; kept in recipes/train/recipe.schema.json."""
    return Recipe.model_json_schema()


def laid_on(values: dict[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a recipe with `changes` (nested, or with dotted keys) on top."""
    for key, value in changes.items():
        nested: Any = value
        for part in reversed(key.split(".")):
            nested = {part: nested}
        values = merge(values, nested)
    return values


def load_recipe(path: Path, overrides: dict[str, Any] | None = None) -> Recipe:
    """Return a recipe with `overrides` (nested, or with dotted keys) on top.

    Raises `UsageError` naming key, file and line.
    """
    values, lines = read_yaml(path)
    return validated(Recipe, laid_on(values, overrides or {}), path, lines)
