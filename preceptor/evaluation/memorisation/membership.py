"""Membership inference: can one tell, from the model alone, which examples it was trained on?

Three scores, each higher for what looks like a member: `loss` (Yeom et al. 2018), the mean log-likelihood; `reference`, by how much it
exceeds that under the base model (Carlini et al. 2022: calibrated by difficulty); `min_k`, the mean of the fifth of an answer's tokens that is
least likely (Shi et al. 2024). An example is compared only with those of its own use case, since the use cases differ more than members do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from preceptor.evaluation.likelihood import Likelihood
from preceptor.evaluation.proportions import proportion

if TYPE_CHECKING:
    import numpy as np

MIN_K = 0.2
FALSE_POSITIVES = 0.01
ATTACKS = ("loss", "reference", "min_k")


@dataclass(frozen=True, slots=True)
class Group:
    """The scores of members, or of others, by one attack, with the use case and the patient of each."""

    scores: Sequence[float]
    tasks: Sequence[str]
    patients: Sequence[str]


def score(attack: str, tuned: Likelihood, base: Likelihood) -> float:
    """How much an attack takes an example for a member."""
    if attack == "loss":
        return tuned.mean
    if attack == "reference":
        return tuned.mean - base.mean
    lowest = sorted(tuned.log_probabilities)[: max(1, round(MIN_K * len(tuned.log_probabilities)))]
    return sum(lowest) / len(lowest)


def inferred(members: Group, others: Group, *, samples: int, seed: int, level: float) -> dict[str, Any]:
    """Return `auc` with its interval (`low`, `high`) and `tpr`, the share of members found where at most 1 % of others are taken for one.

    AUC: the share of pairs (member, other) of one use case in which the member scores higher, a tie counting half. The interval is a
    percentile bootstrap over patients at `level`. For `tpr`, scores are taken relative to the mean of others of the use case; its interval
    is Clopper-Pearson's, for the threshold as it is. With fewer than 100 others a threshold of 1 % is one above all of them.
    """
    import numpy as np

    wins, pairs = _pairs(members, others)
    if not pairs.any():
        raise ValueError("no use case has both members and others")
    auc = float(wins.sum() / pairs.sum())
    rng = np.random.default_rng(seed)
    drawn = _auc(
        wins, pairs, _weights(members.patients, samples, rng), _weights(others.patients, samples, rng)
    )
    drawn = drawn[~np.isnan(drawn)]  # without those in which no use case has both
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    found, tried = _found(members, others)
    tpr = proportion(found, tried)
    rates = {"tpr": tpr["share"], "tpr_low": tpr["low"], "tpr_high": tpr["high"]}
    return {"auc": auc, "low": float(low), "high": float(high), **rates}


def _pairs(members: Group, others: Group) -> tuple[np.ndarray, np.ndarray]:
    import numpy as np

    a, b = np.asarray(members.scores)[:, None], np.asarray(others.scores)[None]
    same = np.asarray(members.tasks)[:, None] == np.asarray(others.tasks)[None]
    return np.where(same, (a > b) + 0.5 * (a == b), 0.0), same.astype(float)


def _weights(patients: Sequence[str], samples: int, rng: np.random.Generator) -> np.ndarray:
    """How often each example is in each drawn sample: patients are drawn, with all of theirs."""
    import numpy as np

    people = {patient: n for n, patient in enumerate(sorted(set(patients)))}
    drawn = rng.multinomial(len(people), np.full(len(people), 1 / len(people)), size=samples)
    return drawn[:, [people[patient] for patient in patients]].astype(float)


def _auc(wins: np.ndarray, pairs: np.ndarray, ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    import numpy as np

    counted = ((ours @ pairs) * theirs).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return ((ours @ wins) * theirs).sum(axis=1) / counted


def _found(members: Group, others: Group) -> tuple[int, int]:
    means = {
        task: sum(found) / len(found)
        for task in set(others.tasks)
        if (found := [s for s, t in zip(others.scores, others.tasks, strict=True) if t == task])
    }
    outside = sorted((s - means[t] for s, t in zip(others.scores, others.tasks, strict=True)), reverse=True)
    inside = [s - means[t] for s, t in zip(members.scores, members.tasks, strict=True) if t in means]
    threshold = outside[int(FALSE_POSITIVES * len(outside))]
    return sum(s > threshold for s in inside), len(inside)
