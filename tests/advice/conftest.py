"""Reports as the evaluation writes them, made by hand."""

from __future__ import annotations

import pytest

LABELS = {
    "base": "Base model",
    "fewshot": "Base model with examples",
    "rag": "Base model with retrieval",
    "finetuned": "Fine-tuned model",
    "finetuned+rag": "Fine-tuned model with retrieval",
}


@pytest.fixture(scope="session")
def made_report():
    """Make a report of one or more use cases. `means`: arm -> score; `pairs`: (arm, against) -> (difference, low, high, p)."""

    def make(means, pairs, task="summary", cases=60, patients=40, others=0, seconds=None):
        tasks = {task: cases, **({"other": others} if others else {})}
        total = cases + others
        return {
            "dataset": "curated-1",
            "n_cases": total,
            "n_patients": patients,
            "cases_by_task": tasks,
            "arms": {
                arm: {
                    "label": LABELS[arm],
                    "tasks": {
                        name: {"mean": mean, "low": mean - 0.05, "high": mean + 0.05} for name in tasks
                    },
                    "speed": {
                        "seconds": (seconds or {}).get(arm, 2.0) * total,
                        "new_tokens": 100 * total,
                        "prompt_tokens": (1500 if "rag" in arm else 700) * total,
                    },
                }
                for arm, mean in means.items()
            },
            "comparisons": {
                f"{arm}_vs_{against}": {
                    "arm": arm,
                    "against": against,
                    "difference": difference,
                    "p_holm": p,
                    "per_task": dict.fromkeys(tasks, difference),
                    "per_task_intervals": {name: [low, high] for name in tasks},
                }
                for (arm, against), (difference, low, high, p) in pairs.items()
            },
        }

    return make


@pytest.fixture(scope="session")
def enough():
    """A verdict of sufficiency: the data are enough."""
    return verdict("enough", 120)


def verdict(said, effective):
    return {
        "tasks": {
            "summary": {
                "effective": effective,
                "verdict": said,
                "advice": f"{effective} different examples: {said}.",
            }
        }
    }


@pytest.fixture(scope="session")
def too_few():
    """A verdict of sufficiency: the data are too few to tune with."""
    return verdict("too few", 3)
