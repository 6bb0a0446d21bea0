"""How loss falls with data: a power law fitted to a few points, and what more data would buy.

loss(n) = floor + scale · n^(-exponent), as Hestness et al. 2017 (arXiv 1712.00409) found over many tasks. The interval comes from
fitting again to the curve with its residuals redrawn (residual bootstrap, Efron 1979).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

MIN_POINTS = 4  # for three parameters
_DRAWS = 300
_SEED = 7


@dataclass(frozen=True, slots=True)
class ScalingLaw:
    """`floor`, `scale`, `exponent` of the fit; `draws` the same of every refit, one a row."""

    floor: float
    scale: float
    exponent: float
    draws: np.ndarray

    def loss(self, examples: float) -> float:
        """The fitted loss at so many examples."""
        return float(self.floor + self.scale * examples**-self.exponent)

    def gain(self, now: float, then: float) -> tuple[float, float, float]:
        """By how much the loss falls from `now` to `then` examples: the fit's value, and its 95 % interval."""
        falls = self.draws[:, 1] * (now ** -self.draws[:, 2] - then ** -self.draws[:, 2])
        low, high = np.quantile(falls, [0.025, 0.975])
        return self.loss(now) - self.loss(then), float(low), float(high)


def fit(points: Sequence[tuple[int, float]]) -> ScalingLaw | None:
    """Fit (examples, loss) points; None with fewer than four different sizes, or where no power law fits."""
    if len({n for n, _ in points}) < MIN_POINTS:
        return None
    sizes = np.array([n for n, _ in points], float)
    losses = np.array([loss for _, loss in points], float)
    found = _fit(sizes, losses)
    if found is None:
        return None
    said = _curve(sizes, *found)
    # Three parameters were taken from the points: what is left of the residuals is scaled up for it.
    residuals = (losses - said) * np.sqrt(len(sizes) / max(1, len(sizes) - 3))
    rng = np.random.default_rng(_SEED)
    draws = [
        again
        for _ in range(_DRAWS)
        if (again := _fit(sizes, said + rng.choice(residuals, len(sizes)))) is not None
    ]
    return ScalingLaw(*found, np.array(draws)) if len(draws) > _DRAWS / 2 else None


def _curve(n: Any, floor: float, scale: float, exponent: float) -> Any:
    return floor + scale * n**-exponent


def _fit(sizes: np.ndarray, losses: np.ndarray) -> tuple[float, float, float] | None:
    from scipy.optimize import OptimizeWarning, curve_fit

    start = (0.8 * losses.min(), max(1e-3, losses.max() - 0.8 * losses.min()) * sizes.min() ** 0.3, 0.3)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OptimizeWarning)
            found, _ = curve_fit(
                _curve, sizes, losses, start, bounds=([0, 0, 0.01], [np.inf, np.inf, 2.0]), maxfev=4000
            )
    except (RuntimeError, ValueError):
        return None
    return float(found[0]), float(found[1]), float(found[2])
