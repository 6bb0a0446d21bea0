"""Which number format trains fastest here without losing the run."""

from __future__ import annotations

import time
from typing import Any

from preceptor.errors import PreceptorError


def choose_dtype(precision: str) -> Any:
    """Return the torch dtype for `auto`, `bf16`, `fp16` or `fp32`.

    `auto` is bf16 on a GPU that has it, and on a CPU where a short matrix product in bf16 is the faster one:
    processors differ by a factor of ten in this, either way. Raises `PreceptorError` for fp16 without a GPU.
    """
    import torch

    if precision == "fp16" and not torch.cuda.is_available():
        raise PreceptorError("precision: fp16 needs a GPU (rule fp16-without-gpu); bf16 and fp32 run here.")
    if precision != "auto":
        return {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}[precision]
    if torch.cuda.is_available():
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    return min((torch.bfloat16, torch.float32), key=_seconds)


def _seconds(dtype: Any) -> float:
    import torch

    a, b = torch.ones(512, 576, dtype=dtype), torch.ones(576, 1536, dtype=dtype)
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - started)
    return best
