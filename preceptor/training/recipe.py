"""A training recipe: a YAML file that says all of how a model is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from preceptor.errors import UsageError
from preceptor.settings import describe, merge, read_yaml


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Method(_Section):
    """Which weights learn. `targets` are module names, or `all-linear` (Dettmers et al. 2023: it matters)."""

    name: Literal["lora", "full"] = "lora"
    rank: int = Field(default=16, ge=1)
    alpha: int = Field(default=32, ge=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    targets: str | tuple[str, ...] = "all-linear"


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


class Recipe(_Section):
    """See recipes/train/ for commented examples."""

    method: Method = Method()
    batch: Batch = Batch()
    optimizer: Optimizer = Optimizer()
    sampling: Sampling = Sampling()
    epochs: float = Field(default=3.0, gt=0)
    max_steps: int = Field(default=0, ge=0)  # 0: as many as the epochs take
    max_minutes: float = Field(
        default=0, ge=0
    )  # 0: no limit; else stops at a step, keeps what it has, and says so
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    zero_stage: Literal[0, 1, 2, 3] = 0  # DeepSpeed ZeRO; 0 is plain data parallel
    checkpoint_steps: int = Field(default=10, ge=1)
    seed: int = 20


def load_recipe(path: Path, overrides: dict[str, Any] | None = None) -> Recipe:
    """Return a recipe with `overrides` (nested, or with dotted keys) on top.

    Raises `UsageError` naming key, file and line.
    """
    values, lines = read_yaml(path)
    for key, value in (overrides or {}).items():
        nested: Any = value
        for part in reversed(key.split(".")):
            nested = {part: nested}
        values = merge(values, nested)
    try:
        return Recipe(**values)
    except ValidationError as error:
        origins = {key: f"{path}, line {line}" for key, line in lines.items()}
        raise UsageError(describe(error, origins)) from None
