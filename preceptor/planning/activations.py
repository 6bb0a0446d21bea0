"""What a layer keeps of every token until it is passed through backwards, in bytes.

After Korthikanti et al. 2022, with attention that keeps no matrix of scores (their term in s² is not there), for what
Transformers, PyTorch and PEFT keep in bf16: counted tensor by tensor with benchmarks/activations.py, and the same to the byte
but for the scalars of norms and softmax.
"""

from __future__ import annotations

from preceptor.models import Architecture
from preceptor.planning.adapters import adapted, experts_adapted
from preceptor.planning.plan import Plan


def handed_on(architecture: Architecture) -> int:
    """Bytes a token and layer of what a layer is given: all that is left of it under activation checkpointing."""
    return 2 * architecture.hidden


def kept(architecture: Architecture, plan: Plan) -> int:
    """Bytes a token and layer without checkpointing."""
    a, whole = architecture, plan.method == "full"
    # A norm works in fp32 and keeps what it is given; where its own weights learn, also what it multiplies them with.
    norms = a.norms * a.hidden + ((a.queries + a.keys) if a.qk_norm else 0)
    found = norms * (6 if whole else 4)
    found += 4 * a.queries + 4 * a.keys  # queries, keys, values and what attention gives
    if whole:
        found += 4 * a.hidden  # what the projections and the feed-forward part take
    passes = a.active_experts if a.experts else 1
    inner = 8 if whole or experts_adapted(a, plan) else 6  # gate, its activation, up; and their product
    found += passes * inner * a.intermediate
    if a.experts:  # each expert's copy of the token, and what it is weighed by
        found += passes * (4 if inner == 8 else 2) * a.hidden
    if plan.method == "ia3":
        found += 4 * (a.intermediate + a.keys)
    if plan.method in ("lora", "rslora", "pissa", "qlora", "dora"):
        for takes, gives in adapted(a, plan):
            found += 2 * takes + 2 * plan.rank  # PEFT makes a copy of its own of what the matrix takes
            found += 4 * gives if plan.method == "dora" else 0
    return found


def beside(architecture: Architecture, plan: Plan) -> int:
    """Bytes a layer keeps however many tokens there are: experts whose adapters are multiplied out."""
    a = architecture
    return 2 * a.experts * a.feed_forward if experts_adapted(a, plan) else 0


def workspace(architecture: Architecture, plan: Plan) -> int:
    """Bytes that come and go within one layer: a matrix of 4 bits is unpacked for its product; DoRA measures the length
    of rows by multiplying its factors out, in fp32, by an identity matrix."""
    a = architecture
    largest = max(a.hidden * a.intermediate, a.hidden * a.queries)
    if plan.method == "qlora":
        return 2 * largest
    if plan.method == "dora":
        return max(6 * takes**2 + 14 * takes * gives for takes, gives in adapted(a, plan))
    return 0
