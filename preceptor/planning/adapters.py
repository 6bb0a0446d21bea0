"""What learns: the weights of each method, counted from the architecture as PEFT 0.21 makes them.

A model that fuses some of a layer's matrices (Phi-3) is counted as if it did not.
"""

from __future__ import annotations

from preceptor.errors import UsageError
from preceptor.models import Architecture
from preceptor.planning.plan import Plan


def learned(architecture: Architecture, plan: Plan) -> int:
    """How many weights learn. Raises `UsageError` for targets that no layer has."""
    a = architecture
    if plan.method == "full":
        return a.parameters
    if plan.method == "prompt":
        return plan.virtual_tokens * a.hidden
    if plan.method == "ia3":  # a factor for every key, value and inner unit
        return a.layers * (2 * a.keys + a.intermediate * max(1, a.experts))
    matrices = adapted(a, plan)
    layer = sum(plan.rank * (takes + gives) for takes, gives in matrices)
    if plan.method == "dora":
        layer += sum(gives for _, gives in matrices)  # the length of every row
    return a.layers * (layer + plan.rank * _of_experts(a, plan))


def adapted(architecture: Architecture, plan: Plan) -> list[tuple[int, int]]:
    """The matrices with a low-rank adapter in one layer, those of experts aside: how wide is what each takes and gives.

    Raises `UsageError` as `learned` does.
    """
    a = architecture
    there = {
        "q_proj": (a.hidden, a.queries),
        "k_proj": (a.hidden, a.keys),
        "v_proj": (a.hidden, a.keys),
        "o_proj": (a.queries, a.hidden),
    }
    if a.experts:
        there["gate"] = (a.hidden, a.experts)
    else:
        there |= {"gate_proj": (a.hidden, a.intermediate), "up_proj": (a.hidden, a.intermediate)}
        there |= {"down_proj": (a.intermediate, a.hidden)}
    if plan.targets == "all-linear":
        return list(there.values())
    if isinstance(plan.targets, str) or not set(plan.targets) <= set(there):
        raise UsageError(
            f"--targets: name all-linear, or some of {', '.join(there)} with commas between them"
            + (" (experts have adapters with all-linear only)." if a.experts else ".")
        )
    return [there[name] for name in plan.targets]


def experts_adapted(architecture: Architecture, plan: Plan) -> bool:
    """Whether experts have adapters, which PEFT multiplies out beside their weights (`target_parameters`)."""
    low_rank = plan.method not in ("full", "prompt", "ia3")
    return bool(architecture.experts) and low_rank and plan.targets == "all-linear"


def _of_experts(a: Architecture, plan: Plan) -> int:
    # Gate and up are one tensor, whose adapter has twice the rank.
    if not experts_adapted(a, plan):
        return 0
    return a.experts * (2 * (a.hidden + 2 * a.intermediate) + a.intermediate + a.hidden)
