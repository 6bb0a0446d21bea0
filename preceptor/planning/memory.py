"""How much memory a plan takes on each GPU, and beside them on the machine, by parts.

What is kept of the model, and how ZeRO divides it: Rajbhandari et al. 2020. What 4 bits take: Dettmers et al. 2023. What
offload takes off the GPU, and DeepSpeed's buffers: DeepSpeed 0.19's defaults and estimators. It plans, and is no promise;
docs/sizing.md holds it against published figures.
"""

from __future__ import annotations

from dataclasses import dataclass

from preceptor.models import Architecture
from preceptor.planning.activations import beside, handed_on, kept, workspace
from preceptor.planning.adapters import learned
from preceptor.planning.plan import Plan
from preceptor.training.memory import NF4

_PARTS = ("weights", "gradients", "optimizer", "activations", "logits", "communication", "overhead")
_WEIGHT, _GRADIENT = 2, 2  # bytes: bf16
_STATES = {"mixed": 12, "bf16": 4}  # bytes of the optimizer a weight that learns
_LOGIT = 12  # bytes: in fp32, with its probability and gradient
_BUCKET = 500_000_000  # values: DeepSpeed's reduce_bucket_size and allgather_bucket_size
_LIVE = 1_000_000_000  # weights: stage3_max_live_parameters
_CONTEXT = 700_000_000  # bytes of CUDA's context, its libraries' kernels and workspaces: an assumption
_RINGS = 500_000_000  # bytes of NCCL's buffers: an assumption
_SLACK = 0.05  # of what is allocated, that the allocator keeps and cannot use: an assumption
_HOST_BUFFERS = 1.5  # DeepSpeed's additional_buffer_factor


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes on each GPU: `communication` is of ZeRO's buffers or of the gradients' buckets, `overhead` of CUDA, NCCL and
    what the allocator cannot use. `host` is of the machine, for all its GPUs, where something is offloaded to it."""

    weights: int
    gradients: int
    optimizer: int
    activations: int
    logits: int
    communication: int
    overhead: int
    host: int

    @property
    def parts(self) -> dict[str, int]:
        """The parts on the GPU by name."""
        return {name: getattr(self, name) for name in _PARTS}

    @property
    def total(self) -> int:
        """All of it on the GPU."""
        return sum(self.parts.values())

    @property
    def allocated(self) -> int:
        """All but `overhead`: what `torch.cuda.max_memory_allocated` should show."""
        return self.total - self.overhead


def memory(architecture: Architecture, plan: Plan) -> Memory:
    """The parts of a plan. Raises `UsageError` for targets that the model does not have."""
    learning, share = learned(architecture, plan), plan.gpus
    whole = plan.method == "full"
    weights = held(architecture, plan.method == "qlora", plan.quantised_experts)
    weights += 0 if whole else learning * _WEIGHT
    gradients, states = learning * _GRADIENT, learning * _STATES[plan.states]
    parts = {
        "weights": 0.0 if plan.offload == "all" else weights / (share if plan.zero == 3 else 1),
        "gradients": gradients / (share if plan.zero >= 2 else 1),
        "optimizer": states / (share if plan.zero >= 1 else 1),
        "activations": _activations(architecture, plan),
        "logits": _LOGIT * plan.scored * plan.tokens * architecture.vocab,
        "communication": _communication(weights, learning, plan),
    }
    if plan.offload != "none":
        parts["optimizer"] = 0.0
        parts["gradients"] = 0.0 if plan.zero >= 2 else gradients
    overhead = _CONTEXT + (_RINGS if share > 1 else 0) + _SLACK * sum(parts.values())
    return Memory(
        **{name: round(size) for name, size in parts.items()},
        overhead=round(overhead),
        host=round(_host(weights, learning, plan)),
    )


def held(architecture: Architecture, quantised: bool, quantised_experts: bool = False) -> int:
    """Bytes of all weights in bf16, or with the matrices of the layers in 4 bits (NF4 with double quantisation)."""
    a = architecture
    if not quantised:
        return a.parameters * _WEIGHT
    packed = a.layers * a.attention
    if not a.experts or quantised_experts:
        packed += a.layers * a.feed_forward * max(1, a.experts)
    return round((a.parameters - packed) * _WEIGHT + packed * NF4)


def _activations(a: Architecture, plan: Plan) -> int:
    layer = kept(a, plan) * plan.tokens + beside(a, plan)
    last = (8 if plan.method == "full" else 4) * a.hidden * plan.tokens  # the norm before the output layer
    if plan.checkpointing:
        return a.layers * handed_on(a) * plan.tokens + layer + last + workspace(a, plan)
    return a.layers * layer + last + workspace(a, plan)


def _communication(weights: float, learning: int, plan: Plan) -> float:
    if plan.zero == 0:
        # PyTorch's data parallelism copies the gradients into buckets.
        return learning * _GRADIENT if plan.gpus > 1 else 0
    if plan.gpus == 1 and plan.offload == "none":
        return 0
    bucket = _GRADIENT * min(_BUCKET, learning)
    if plan.zero < 3:
        return 2 * bucket
    others = weights if plan.offload == "all" else weights * (1 - 1 / plan.gpus)
    return bucket + min(_WEIGHT * _LIVE, others)


def _host(weights: float, learning: int, plan: Plan) -> float:
    if plan.offload == "none":
        return 0
    return _HOST_BUFFERS * (16 * learning + (weights if plan.offload == "all" else 0))
