"""A plan: how a model would be trained, on how many GPUs; and which plans the trainer can carry out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from preceptor.errors import UsageError
from preceptor.training.recipe import MethodName

Offload = Literal["none", "optimizer", "all"]
States = Literal["mixed", "bf16"]


@dataclass(frozen=True, slots=True)
class Plan:
    """`seq` and `micro_batch` are of one step of one GPU, `batch_tokens` of an optimizer step of all. `zero` is DeepSpeed's
    stage, 0 plain data parallel. `offload`: in a recipe `optimizer` is offload.optimizer: cpu, `all` the parameters, too.

    `states`, of all weights that learn: `mixed` is 16 bytes each, as DeepSpeed keeps them (weight and gradient in bf16; a
    copy and Adam's two moments in fp32: Rajbhandari et al. 2020), and as the trainer keeps adapters, but for those of
    `qlora`. `bf16` is 8 bytes, all four in bf16: so the trainer keeps them in `full` and `qlora` without DeepSpeed.

    `scored`: the share of the tokens that carry loss, and need logits. `quantised_experts`: a loader that puts experts into
    4 bits, too; the trainer's (Transformers 5) keeps them in one tensor that bitsandbytes leaves in 16 bits.

    Raises `UsageError` for what no library does.
    """

    method: MethodName = "lora"
    gpus: int = 1
    zero: int = 0
    offload: Offload = "none"
    checkpointing: bool = False
    seq: int = 2048
    micro_batch: int = 1
    batch_tokens: int = 65_536
    rank: int = 16
    targets: str | tuple[str, ...] = "all-linear"
    virtual_tokens: int = 16
    states: States = "mixed"
    scored: float = 1.0
    quantised_experts: bool = False

    def __post_init__(self) -> None:
        if self.states == "bf16" and self.zero:
            raise UsageError(
                "--states bf16 is without DeepSpeed, which keeps a copy in fp32: choose --zero 0."
            )
        if self.offload == "optimizer" and self.zero == 0:
            raise UsageError("--offload optimizer is done by DeepSpeed: choose --zero 1, 2 or 3.")
        if self.offload == "all" and self.zero != 3:
            raise UsageError(
                "--offload all takes the weights off the GPU, which needs them in parts: --zero 3."
            )

    @property
    def tokens(self) -> int:
        """Of one step of one GPU."""
        return self.seq * self.micro_batch

    @property
    def accumulation(self) -> int:
        """Steps of a GPU before the optimizer's."""
        return max(1, round(self.batch_tokens / self.tokens / self.gpus))

    @property
    def refused(self) -> str | None:
        """Why the trainer does not run this plan; None if it does."""
        if self.zero == 3 and self.method in ("pissa", "qlora"):
            return f"{self.method} cannot be begun on weights in parts (ZeRO-3)"
        if self.zero and self.gpus == 1:
            return "zero_stage needs more than one process"
        return None
