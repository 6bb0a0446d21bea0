"""How much of what the machine can do a training uses: model FLOPs utilisation (MFU; Chowdhery et al. 2022, appendix B)."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import Any

_SIDE = 1024  # of the matrices by which an unknown device is measured


@dataclass(frozen=True, slots=True)
class Peak:
    """FLOPs a second of one device, and whether a data sheet says so or a matrix product measured it."""

    flops: float
    source: str


def peak_flops(dtype: Any) -> Peak:
    """What this device can do at most: in 16 bits by its data sheet, if the price file has it, else what a plain matrix
    product reaches."""
    import torch

    if torch.cuda.is_available() and dtype != torch.float32:
        known = by_data_sheet(torch.cuda.get_device_name())
        if known is not None:
            return Peak(known, "data sheet")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    a = torch.ones(_SIDE, _SIDE, dtype=dtype, device=device)
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        product = a @ a
        product[0, 0].item()  # a GPU answers before it is done
        best = min(best, time.perf_counter() - started)
    return Peak(2 * _SIDE**3 / best, "measured matrix product")


def by_data_sheet(device: str) -> float | None:
    """Of "NVIDIA A100-SXM4-80GB" the FLOPs of `a100-80gb`: the GPU most of whose name's parts are in the device's. None for
    cards of the slot, which are slower than those of the same name on a board."""
    from preceptor.planning.prices import load_prices

    parts = set(re.findall(r"[a-z0-9]+", device.lower()))
    gpus = load_prices().gpus
    named = {name: set(name.split("-")) for name in gpus}
    found = [name for name, wanted in named.items() if wanted <= parts]
    if not found or "pcie" in parts:
        return None
    return gpus[max(found, key=lambda name: len(named[name]))].bf16_tflops * 1e12


@dataclass(frozen=True, slots=True)
class Utilisation:
    """Turns a speed into a share of what all `processes` devices can do; `flops` is of one token."""

    peak: Peak
    flops: float
    processes: int

    def of(self, tokens_per_second: float) -> float:
        """The share, 0 to 1, at this speed of all processes together."""
        return self.flops * tokens_per_second / (self.peak.flops * self.processes)


def flops_per_token(weights: int, adapters: int, layers: int, hidden: int, length: float) -> float:
    """The FLOPs of a token in training: two a weight forward, two backward, and two more for each that learns: all of
    them, or those of `adapters` where there are any; and attention over examples of `length` tokens. What is computed
    again to save memory does not count.
    """
    learning = adapters or weights
    return 4.0 * (weights + adapters) + 2.0 * learning + 12.0 * layers * hidden * length
