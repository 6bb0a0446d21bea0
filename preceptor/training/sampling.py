"""Which examples a pass shows, and how often."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

from preceptor.errors import UsageError
from preceptor.training.recipe import Emphasis, Sampling


def sampled(rows: Sequence[Mapping[str, Any]], sampling: Sampling, seed: int) -> list[Mapping[str, Any]]:
    """Return the rows, each as often as its weight says: 2.3 is twice, and a third time for three in ten of such rows, drawn
    by a hash of their names and the seed; 0.5 is every second one.

    The same rows, weights and seed give the same, so that a resumed training shows what it would have shown. Raises
    `UsageError` for an emphasis that names no row, or if none is left.
    """
    for number, emphasis in enumerate(sampling.emphasis):
        if rows and not any(_names(emphasis, row) for row in rows):
            raise UsageError(f"sampling.emphasis, number {number + 1}: no training example is of this kind.")
    shown = [row for row in rows for _ in range(_times(row, sampling, seed))]
    if rows and not shown:
        raise UsageError(f"sampling: the weights leave none of {len(rows)} examples.")
    return shown


def weight(row: Mapping[str, Any], sampling: Sampling) -> float:
    """How often a row is shown, on average."""
    own = row.get("weight") if sampling.population else None
    return (1.0 if own is None else own) * math.prod(e.weight for e in sampling.emphasis if _names(e, row))


def _times(row: Mapping[str, Any], sampling: Sampling, seed: int) -> int:
    wanted = weight(row, sampling)
    drawn = hashlib.sha256(f"{seed} {row['example_id']}".encode()).digest()
    return int(wanted) + (int.from_bytes(drawn[:8], "big") / 2**64 < wanted % 1)


def _names(emphasis: Emphasis, row: Mapping[str, Any]) -> bool:
    said = emphasis.model_dump(exclude={"weight"}, exclude_none=True)
    return all(row[name] == value for name, value in said.items())
