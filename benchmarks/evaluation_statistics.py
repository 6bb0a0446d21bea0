"""How often the evaluation is wrong about chance, by simulation: `python benchmarks/evaluation_statistics.py [--rounds 1000]`.

Two tables. Coverage: how often the 95 % interval of a macro-average holds the truth. Gate: how often `release.gates.decide` with
the shipped policy passes a fine-tuned model that is as good as the base (that should be 2.5 % or less, the lower end
being one-sided), one that is a little better, one that is worse in a single use case, and one that is as good as the champion.

Scores of a case are drawn around its patient's own level; the same cases are given to every arm, so that arms are paired, as in
an evaluation. No model is run.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import numpy as np

from preceptor.evaluation.statistics import Estimate, macro_mean, paired_difference
from preceptor.release.gates import decide
from preceptor.release.policy import in_force
from preceptor.settings import GateSettings

PATIENTS = (10, 20, 40, 100)
TASKS = ("summary", "coding_cardiology", "differential")
SAMPLES = 1_000  # of the bootstrap; an evaluation takes ten thousand


def drawn(
    kind: str, patients: int, clustered: bool, rng: np.random.Generator
) -> tuple[np.ndarray, list[str], float]:
    """Scores, the patient of each, and their expectation."""
    sizes = rng.integers(1, 4, patients) if clustered else np.ones(patients, dtype=int)
    people = [f"p{n}" for n, size in enumerate(sizes) for _ in range(size)]
    shift = np.repeat(rng.normal(0, 0.05, patients) if clustered else np.zeros(patients), sizes)
    if kind == "normal":
        return rng.normal(0.5, 0.1, len(people)) + shift, people, 0.5
    if kind == "skewed":
        return rng.beta(0.5, 3, len(people)) + shift, people, 0.5 / 3.5
    # Paired right or wrong: 1, 0 or -1 with the same chance of gain and loss of a tenth each.
    return rng.choice([-1.0, 0.0, 1.0], len(people), p=[0.1, 0.8, 0.1]), people, 0.0


def coverage(kind: str, patients: int, clustered: bool, rounds: int) -> float:
    """The share of rounds in which the interval held the truth."""
    rng = np.random.default_rng([patients, clustered, len(kind)])
    held = 0
    for seed in range(rounds):
        values, people, truth = drawn(kind, patients, clustered, rng)
        found = macro_mean(
            values.tolist(), ["t"] * len(people), people, samples=SAMPLES, seed=seed, bounds=(-2.0, 2.0)
        )
        held += found.low <= truth <= found.high
    return held / rounds


def passed(patients: int, gain: Mapping[str, float], rounds: int, champion: bool = False) -> float:
    """How often the gate passes a model whose true gain by use case is `gain`; a case of every use case for each patient."""
    rng = np.random.default_rng([patients, *(round(1000 * abs(g)) for g in gain.values())])
    settings = in_force(GateSettings())
    tasks = [task for _ in range(patients) for task in TASKS]
    people = [f"p{n}" for n in range(patients) for _ in TASKS]
    count = 0
    for seed in range(rounds):
        level = np.repeat(rng.normal(0.4, 0.1, patients), len(TASKS)) + rng.normal(0, 0.08, len(tasks))
        base = np.clip(level + rng.normal(0, 0.06, len(tasks)), 0, 1)
        means = np.array([gain[task] for task in tasks])
        ours = np.clip(level + means + rng.normal(0, 0.06, len(tasks)), 0, 1)
        comparison = _comparison(ours, base, tasks, people, seed)
        report: dict[str, Any] = {
            "n_cases": len(tasks),
            "cases_by_task": dict.fromkeys(TASKS, patients),
            "arms": {"finetuned": {"tasks": {}}},
            "comparisons": {"finetuned_vs_base": comparison},
            "probes": {},
        }
        if champion:
            report["comparisons"] = {
                "finetuned_vs_base": _comparison(ours, base - 0.1, tasks, people, seed),
                "finetuned_vs_champion": comparison,
            }
        count += decide(report, settings, "m/1" if champion else None).passed
    return count / rounds


def _comparison(
    ours: np.ndarray, theirs: np.ndarray, tasks: list[str], people: list[str], seed: int
) -> dict[str, Any]:
    found: Estimate = paired_difference(
        ours.tolist(), theirs.tolist(), tasks, people, samples=SAMPLES, seed=seed
    )
    of = {task: [i for i, t in enumerate(tasks) if t == task] for task in TASKS}
    return {
        "difference": found.mean,
        "low": found.low,
        "high": found.high,
        "per_task": {task: float((ours[at] - theirs[at]).mean()) for task, at in of.items()},
        "per_task_intervals": {},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=1_000)
    rounds = parser.parse_args().rounds
    head = " | ".join(map(str, PATIENTS))
    print(f"| 95 % interval holds the truth, one case a patient / clustered | {head} |")
    print("|---" * (len(PATIENTS) + 1) + "|")
    for kind in ("normal", "skewed", "right or wrong"):
        shares = [
            f"{100 * coverage(kind, n, False, rounds):.1f} / {100 * coverage(kind, n, True, rounds):.1f}"
            for n in PATIENTS
        ]
        print(f"| {kind} | {' | '.join(shares)} |", flush=True)
    print(f"\n| the gate passes a model that is … | {head} |")
    print("|---" * (len(PATIENTS) + 1) + "|")
    even = dict.fromkeys(TASKS, 0.0)
    rows: list[tuple[str, dict[str, float], bool]] = [
        ("as good as the base", even, False),
        ("better by 2 points in each use case", dict.fromkeys(TASKS, 0.02), False),
        ("better by 5 points in each", dict.fromkeys(TASKS, 0.05), False),
        ("better by 8 points in two, worse by 10 in the third", {TASKS[0]: 0.08, TASKS[1]: 0.08, TASKS[2]: -0.1}, False),
        ("as good as the champion, better than the base", even, True),
        ("worse than the champion by 5 points", dict.fromkeys(TASKS, -0.05), True),
    ]  # fmt: skip
    for said, gain, champion in rows:
        shares = [f"{100 * passed(n, gain, rounds, champion):.1f} %" for n in PATIENTS]
        print(f"| {said} | {' | '.join(shares)} |", flush=True)


if __name__ == "__main__":
    main()
