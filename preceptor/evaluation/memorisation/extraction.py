"""Extraction by prefix: does the model go on with a training example word for word?

Carlini et al. 2023 (Quantifying Memorization): an example is extractable if the model, decoding greedily after what stands before, writes the
next k tokens as they are. It does exactly if each of them is the likeliest after the true ones before it, so one pass over the example
answers it. `near`: at least nine in ten of the k are, each after the true ones before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from preceptor.evaluation.likelihood import Likelihood

NEAR = 0.9


def window(tokens: int, wanted: int) -> slice | None:
    """Where of a text of so many tokens the continuation lies: from its middle, or as late as it must; None if it is too short to have
    anything before it."""
    if tokens <= wanted:
        return None
    begin = min(tokens // 2, tokens - wanted)
    return slice(begin, begin + wanted)


def extracted(found: Sequence[Likelihood], wanted: int) -> dict[str, Any]:
    """Return how many texts were long enough (`tried`), and the shares reproduced verbatim and nearly so; shares are None where none was."""
    windows = [
        likelihood.greedy[place]
        for likelihood in found
        if (place := window(len(likelihood.greedy), wanted)) is not None
    ]
    if not windows:
        return {"tried": 0, "verbatim": None, "near": None}
    return {
        "tried": len(windows),
        "verbatim": sum(all(flags) for flags in windows) / len(windows),
        "near": sum(sum(flags) >= NEAR * len(flags) for flags in windows) / len(windows),
    }
