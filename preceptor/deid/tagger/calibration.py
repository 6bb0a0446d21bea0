"""Making scores mean what they say: of the tokens scored 0.3, three in ten identify somebody.

Platt 1999: the logit of a network's probability is stretched and moved by two numbers, fitted on notes that it was not
trained on. That keeps the order of scores, so it changes what a threshold means and not what can be reached.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
_EDGE = 1e-6


def logit(p: Floats) -> Floats:
    """The logit of probabilities, cut off near 0 and 1."""
    inside = np.clip(p, _EDGE, 1 - _EDGE)
    return np.log(inside / (1 - inside))


def calibrated(p: Floats, scale: float, shift: float) -> Floats:
    """The probabilities after stretching their logits by `scale` and moving them by `shift`."""
    return 1 / (1 + np.exp(-(scale * logit(p) + shift)))


def fit(p: Floats, truth: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """(scale, shift) of the greatest likelihood, by Newton's method with the step halved until it helps."""
    x = np.stack([logit(p.astype(np.float64)), np.ones(len(p))])
    # Platt's targets: not quite 0 and 1, so that a clean split has an answer.
    positive, negative = truth.sum(), (~truth).sum()
    wanted = np.where(truth, (positive + 1) / (positive + 2), 1 / (negative + 2))
    weights = np.array([1.0, 0.0])

    def loss(at: Floats) -> float:
        z = at @ x
        return float((np.logaddexp(0, z) - wanted * z).sum())

    for _ in range(50):
        q = calibrated(p, weights[0], weights[1])
        step = np.linalg.solve((x * q * (1 - q)) @ x.T + 1e-9 * np.eye(2), x @ (q - wanted))
        while loss(weights - step) > loss(weights) and np.abs(step).max() > 1e-10:
            step = step / 2
        weights = weights - step
        if np.abs(step).max() < 1e-8:
            break
    return float(weights[0]), float(weights[1])


def expected_error(p: Floats, truth: npt.NDArray[np.bool_], bins: int = 15) -> float:
    """Expected calibration error (Naeini et al. 2015) over bins of equal width: 0 is perfect."""
    which = np.minimum((p * bins).astype(int), bins - 1)
    error = 0.0
    for n in range(bins):
        inside = which == n
        if inside.any():
            error += abs(p[inside].mean() - truth[inside].mean()) * inside.sum() / len(p)
    return float(error)
