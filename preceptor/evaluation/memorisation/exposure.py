"""Exposure of canaries: by how many bits a model singles out what was planted among all that might have been.

Carlini et al. 2019 (The Secret Sharer, USENIX Security, sections 4.2 to 4.4): exposure = log2 |R| - log2 rank, the rank being that of the
canary's log-perplexity among the whole space R. A canary that was never learned has on average 1.44 bits; its chance of e bits or
more is 2^-e.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Exposure:
    """Of one canary, in bits. `sampled`: its rank among the samples and itself, which cannot exceed log2(samples + 1);
    `extrapolated`: from the skew-normal distribution fitted to the samples, at most log2 |R|."""

    sampled: float
    extrapolated: float


@dataclass(frozen=True, slots=True)
class Exposures:
    """`fit_p`: of a Kolmogorov-Smirnov test of the fit on the samples it was fitted to; small: the extrapolation is not to be trusted."""

    canaries: tuple[Exposure, ...]
    fit_p: float


def exposures(perplexities: Sequence[float], reference: Sequence[float], space_bits: float) -> Exposures:
    """Return the exposure of canaries with these log-perplexities (any unit, lower is likelier) given those of random members of the space."""
    from scipy.stats import kstest, skewnorm

    shape = skewnorm.fit(list(reference))
    fit_p = float(kstest(list(reference), skewnorm(*shape).cdf).pvalue)
    return Exposures(
        tuple(Exposure(_sampled(x, reference), _extrapolated(x, shape, space_bits)) for x in perplexities),
        fit_p,
    )


def _sampled(x: float, reference: Sequence[float]) -> float:
    below, same = sum(r < x for r in reference), sum(r == x for r in reference)
    return math.log2(len(reference) + 1) - math.log2(1 + below + same / 2)


def _extrapolated(x: float, shape: Any, space_bits: float) -> float:
    """-log2 of the fitted distribution below x. SciPy's own tail ends at 1e-16; the density is summed relative to that at x instead."""
    import numpy as np
    from scipy.stats import skewnorm

    _, location, scale = shape
    if (x - location) / scale > -4:
        share = float(skewnorm.cdf(x, *shape))
        return min(space_bits, -math.log2(max(share, 2.0**-space_bits)))
    depth = np.linspace(0.0, 12.0 * scale, 40_001)
    at = float(skewnorm.logpdf(x, *shape))
    if not math.isfinite(at):
        return space_bits
    log_area = at + math.log(float(np.trapezoid(np.exp(skewnorm.logpdf(x - depth, *shape) - at), depth)))
    return min(space_bits, -log_area / math.log(2))
