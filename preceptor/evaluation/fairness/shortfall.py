"""By how much a group scores below the others in the same tasks, with an interval that respects patients."""

from __future__ import annotations

from collections.abc import Sequence

from preceptor.evaluation.statistics import Estimate, expanded_percentiles, p_value


def shortfall(
    values: Sequence[float],
    tasks: Sequence[str],
    patients: Sequence[str],
    inside: Sequence[bool],
    *,
    samples: int,
    seed: int,
) -> Estimate | None:
    """Mean over tasks of (others' mean - group's mean), positive where the group does worse; one entry a case.

    Only tasks with both sides count, so that a specialty is not called worse because its task is harder; None without
    one. Patients are drawn with replacement; a draw that empties a side is left out. Few usable draws give None.
    """
    import numpy as np

    shared = [
        t for t in sorted(set(tasks)) if len({i for i, of in zip(inside, tasks, strict=True) if of == t}) == 2
    ]
    rows = [n for n, task in enumerate(tasks) if task in shared]
    if not rows:
        return None
    people = sorted({patients[n] for n in rows})
    sums, counts = np.zeros((len(people), len(shared), 2)), np.zeros((len(people), len(shared), 2))
    for n in rows:
        place = (people.index(patients[n]), shared.index(tasks[n]), int(inside[n]))
        sums[place] += values[n]
        counts[place] += 1
    means = sums.sum(0) / counts.sum(0)
    found = float((means[:, 0] - means[:, 1]).mean())
    weights = np.random.default_rng(seed).multinomial(
        len(people), np.full(len(people), 1 / len(people)), size=samples
    )
    held = np.einsum("sp,pti->sti", weights, counts)
    whole = (held > 0).all(axis=(1, 2))
    if len(people) < 2 or whole.sum() < samples / 2:
        return None
    drawn = np.einsum("sp,pti->sti", weights, sums)[whole] / held[whole]
    differences = (drawn[:, :, 0] - drawn[:, :, 1]).mean(axis=1)
    low, high = expanded_percentiles(differences, len(people))
    return Estimate(
        found, min(low, found), max(high, found), p_value(differences, len(people)), len(rows), len(people)
    )
