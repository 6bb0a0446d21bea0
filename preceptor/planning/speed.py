"""How fast a plan learns: its arithmetic at an assumed share of the GPU's peak, or its traffic where that takes longer.

Six operations a weight and token where all weights learn, four where the base is frozen (nothing is computed for its own
gradient), two more where activations are computed again; and attention's, for tokens that see those before them
(Chowdhery et al. 2022, appendix B; Korthikanti et al. 2022).
"""

from __future__ import annotations

from dataclasses import dataclass

from preceptor.models import Architecture
from preceptor.planning.adapters import learned
from preceptor.planning.plan import Plan
from preceptor.planning.prices import Gpu

# Of the peak in bf16, with what is computed again counted as work (the trainer's own figure leaves that out): docs/sizing.md
# has what others had.
MFU = 0.4
_DEQUANTISING = (
    0.8  # of the speed is left where weights are unpacked from 4 bits: torchtune's README, RTX 4090
)
_LINKS = 0.7  # of the bandwidth between GPUs and to the host is had: an assumption
_CPU_ADAM = 7e8  # weights a second and machine with PyTorch's Adam on the CPU: about what Ren et al. 2021 (table 4) had


@dataclass(frozen=True, slots=True)
class Effort:
    """What a plan asks of any GPU: operations of a token; bytes that a GPU exchanges with others (`link`) and with the host,
    in each of its steps and once an optimizer step; and seconds of the CPU's part of that. Arithmetic covers what GPUs
    exchange in a step, and nothing else."""

    operations: float
    link_step: float
    link_once: float
    host_step: float
    host_once: float
    cpu_once: float


@dataclass(frozen=True, slots=True)
class Speed:
    """`tokens_per_second` of all GPUs together. `operations` are a token's. `bound`: `arithmetic`, or the `traffic` between
    GPUs and with the host."""

    tokens_per_second: float
    operations: float
    bound: str

    def hours(self, tokens: float) -> float:
        """For so many tokens, every pass over them counted."""
        return tokens / self.tokens_per_second / 3600


def speed(effort: Effort, plan: Plan, gpu: Gpu, mfu: float = MFU) -> Speed:
    """The speed of a plan on GPUs of one machine. Prompts fill their packs: padding is not counted as tokens.

    It does not know that small steps use a GPU badly, nor of networks between machines.
    """
    rate = gpu.bf16_tflops * 1e12 * mfu * (_DEQUANTISING if plan.method == "qlora" else 1)
    link, host = gpu.link_gb_s * 1e9 * _LINKS, gpu.host_gb_s * 1e9 * _LINKS
    arithmetic = effort.operations * plan.tokens / rate
    exchange, offloaded = effort.link_step / link, effort.host_step / host
    once = effort.link_once / link + effort.host_once / host + effort.cpu_once
    step = plan.accumulation * (max(arithmetic, exchange) + offloaded) + once
    return Speed(
        tokens_per_second=plan.gpus * plan.accumulation * plan.tokens / step,
        operations=effort.operations,
        bound="arithmetic" if step < 1.5 * plan.accumulation * arithmetic else "traffic",
    )


def effort(architecture: Architecture, plan: Plan) -> Effort:
    """What a plan asks of any GPU. Raises `UsageError` for targets that the model does not have."""
    learning, share = learned(architecture, plan), plan.gpus
    others = (share - 1) / share
    weights, gradients = 2 * architecture.parameters, 2 * learning
    link_step = link_once = host_step = host_once = cpu_once = 0.0
    if plan.zero <= 1:
        link_once = 2 * gradients * others
    else:
        link_step = gradients * others  # summed in every step
        link_once = gradients * others if plan.zero == 2 else 0
    if plan.zero == 3:
        link_step += 2 * weights * others  # gathered forwards and backwards
    if plan.offload != "none":
        host_once, cpu_once = 2 * gradients / share, learning / _CPU_ADAM
    if plan.offload == "all":
        host_step = 2 * weights / share
    return Effort(
        _operations(architecture, plan, learning), link_step, link_once, host_step, host_once, cpu_once
    )


def _operations(a: Architecture, plan: Plan, learning: int) -> float:
    head = a.vocab * a.hidden * plan.scored
    layers = a.active - a.vocab * a.hidden
    attention = 2 * a.layers * a.queries * plan.seq  # forwards, half of the pairs
    whole = plan.method == "full"
    found = (6 if whole else 4) * (layers + head) + 3 * attention
    found += 0 if whole else 6 * min(learning, a.active)
    if plan.checkpointing:
        found += 2 * layers + attention
    return found
