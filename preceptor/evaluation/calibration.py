"""Whether a model's confidence can be believed: when it says 80 %, is it right in 80 of 100 cases?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

BINS = 15  # as Guo et al. 2017 report it


@dataclass(frozen=True, slots=True)
class Bin:
    """The cases whose confidence lies in one fifteenth of [0, 1]: how many, mean confidence, share right."""

    cases: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """`ece` in [0, 1]; `brier` in [0, 2], 0 being best in both; `bins` without the empty ones."""

    ece: float
    brier: float
    bins: tuple[Bin, ...]


def probabilities(logits: Sequence[float]) -> list[float]:
    """Return the share of each choice in their total likelihood; `logits` are log likelihoods."""
    import numpy as np

    shifted = np.exp(np.asarray(logits, dtype=float) - max(logits))
    return [float(p) for p in shifted / shifted.sum()]


def calibration(chances: Sequence[Sequence[float]], gold: Sequence[int]) -> Calibration:
    """Compare what was thought likely with what was right; one list of probabilities and one right place per case.

    Expected calibration error: the mean over cases of |accuracy - confidence| of a case's bin, over 15 bins of equal width,
    (0, 1/15] being the first; the confidence is the largest probability (Guo et al. 2017, arXiv:1706.04599, eq. 3). Brier
    score: the mean of the squared distances to the right answer, summed over the choices (Brier 1950,
    doi 10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2).
    """
    import numpy as np

    if not chances:
        raise ValueError("no cases")
    confidence = np.array([max(row) for row in chances])
    right = np.array([int(np.argmax(row)) == want for row, want in zip(chances, gold, strict=True)], float)
    place = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    bins = []
    ece = 0.0
    for number in sorted(set(place.tolist())):
        inside = place == number
        bins.append(Bin(int(inside.sum()), float(confidence[inside].mean()), float(right[inside].mean())))
        ece += inside.mean() * abs(bins[-1].accuracy - bins[-1].confidence)
    brier = np.mean(
        [
            sum((p - (i == want)) ** 2 for i, p in enumerate(row))
            for row, want in zip(chances, gold, strict=True)
        ]
    )
    return Calibration(float(ece), float(brier), tuple(bins))
