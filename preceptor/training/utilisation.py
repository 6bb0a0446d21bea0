"""How much of what the machine can do a training uses: model FLOPs utilisation (MFU; Chowdhery et al. 2022, appendix B)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

# Dense bf16 (T4, V100: fp16) tensor-core TFLOPS of NVIDIA's data sheets, by a part of the device's name; the first that fits.
_DATA_SHEETS = {
    "H200": 989.0,
    "H100 PCIe": 756.0,
    "H100": 989.0,
    "A100": 312.0,
    "L40S": 362.0,
    "L4": 121.0,
    "A10G": 70.0,
    "A10": 125.0,
    "V100": 125.0,
    "T4": 65.0,
}
_SIDE = 1024  # of the matrices by which an unknown device is measured


@dataclass(frozen=True, slots=True)
class Peak:
    """FLOPs a second of one device, and whether a data sheet says so or a matrix product measured it."""

    flops: float
    source: str


def peak_flops(dtype: Any) -> Peak:
    """What this device can do at most: by its data sheet if it is known, else what a plain matrix product reaches."""
    import torch

    if torch.cuda.is_available() and dtype != torch.float32:
        name = torch.cuda.get_device_name()
        for part, tera in _DATA_SHEETS.items():
            if part in name:
                return Peak(tera * 1e12, "data sheet")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    a = torch.ones(_SIDE, _SIDE, dtype=dtype, device=device)
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        product = a @ a
        product[0, 0].item()  # a GPU answers before it is done
        best = min(best, time.perf_counter() - started)
    return Peak(2 * _SIDE**3 / best, "measured matrix product")


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
