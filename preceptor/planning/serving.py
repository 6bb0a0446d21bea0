"""What the trained model takes to answer: weights, the cache of keys and values, and how fast memory lets it write."""

from __future__ import annotations

import math
from dataclasses import dataclass

from preceptor.models import Architecture
from preceptor.planning.memory import held
from preceptor.planning.prices import Gpu

MBU = 0.6  # of the memory's bandwidth is had while writing: an assumption
_ROOM = 0.9  # of the memory is given to the server: vLLM's default gpu_memory_utilization
_WORK = 0.05  # of the weights again, for activations and kernels: an assumption


@dataclass(frozen=True, slots=True)
class Serving:
    """Bytes; `cache` of all sequences at their full length, `cache_per_token` of one token. `gpus` that are needed together.
    `tokens_per_second` of all sequences together, at half their length, as far as memory bandwidth allows."""

    weights: int
    cache: int
    cache_per_token: int
    total: int
    gpus: int
    tokens_per_second: float


def serving(
    architecture: Architecture,
    gpu: Gpu,
    sequences: int,
    length: int,
    quantised: bool = False,
    mbu: float = MBU,
) -> Serving:
    """What so many sequences at a time need, of `length` tokens with question and answer. All layers are taken to see
    every token before: models with sliding windows (Gemma, Mistral 0.1) may need less.
    """
    a = architecture
    weights = held(a, quantised)
    per_token = 4 * a.layers * a.keys  # keys and values in bf16
    cache = per_token * sequences * length
    total = round(weights * (1 + _WORK)) + cache
    gpus = math.ceil(total / (_ROOM * gpu.memory))
    read = weights * _touched(a, sequences) + cache / 2
    seconds = read / (gpus * gpu.bandwidth_gb_s * 1e9 * mbu)
    return Serving(weights, cache, per_token, total, gpus, sequences / seconds)


def _touched(a: Architecture, sequences: int) -> float:
    # The share of the weights that a step reads: of the experts those that any of the sequences goes through.
    if not a.experts:
        return 1.0
    experts = a.layers * a.feed_forward * a.experts
    untouched = (1 - a.active_experts / a.experts) ** sequences
    return 1 - experts / a.parameters * untouched
