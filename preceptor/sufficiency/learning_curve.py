"""The learning curve: the recipe trained briefly on growing parts of the training split, each measured on validation.

A small adapter and as many passes over each part: what counts is how the loss falls with data, not how low it gets. (At
equal steps it does not fall at all: 9, 15 and 31 of our examples gave 2.65, 2.65 and 2.66 after 30.) Parts are nested, and
whole patients; what was trained is not trained again.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from preceptor.models import ResolvedModel
from preceptor.progress import Progress, silent
from preceptor.records import Example
from preceptor.settings import SufficiencySettings, Workspace
from preceptor.tables import EXAMPLES, read_examples, write_examples
from preceptor.training.brief import brief, trained
from preceptor.training.recipe import Recipe
from preceptor.versions import DatasetVersion, make_version

STAGE = "curve"
Points = list[tuple[int, float]]  # training examples, validation loss
FRACTIONS = (0.125, 0.25, 0.5, 1.0)


class Measured(NamedTuple):
    """The points of all use cases together, and of each: its own examples in the part and the loss on its own."""

    points: Points
    by_task: dict[str, Points]


def measure(
    workspace: Workspace,
    base: ResolvedModel,
    curated: DatasetVersion,
    recipe: Recipe,
    settings: SufficiencySettings,
    tracking_uri: str,
    experiment: Callable[[], str],
    fractions: Sequence[float] = FRACTIONS,
    on_progress: Progress = silent,
) -> Measured:
    """Measure the loss for each part. Raises `PreceptorError` if a training fails."""
    small = brief(recipe, settings)
    parts = [_part(workspace.data, curated, fraction) for fraction in fractions]
    on_progress(0, len(parts))
    results = trained(workspace, base, [([part], small) for part in parts], tracking_uri, experiment())
    on_progress(len(parts), len(parts))
    found = Measured([], {})
    for part, result in zip(parts, results, strict=True):
        if result["validation_loss"] is not None:
            found.points.append((part.facts["train"], result["validation_loss"]))
        for task, loss in result["validation_loss_by_task"].items():
            if of_task := part.facts["by_task"].get(task):
                found.by_task.setdefault(task, []).append((of_task, loss))
    return found


def _part(data: Path, curated: DatasetVersion, fraction: float) -> DatasetVersion:
    def write(folder: Path) -> dict[str, Any]:
        examples = read_examples(curated.path / EXAMPLES)
        train = _first([e for e in examples if e.split == "train"], fraction)
        write_examples(folder / EXAMPLES, [*train, *(e for e in examples if e.split == "validation")])
        return {"train": len(train), "by_task": dict(Counter(e.task for e in train))}

    return make_version(
        data, STAGE, inputs={"curated": curated.name}, config={"fraction": fraction}, code="2", write=write
    )


def _first(train: Sequence[Example], fraction: float) -> list[Example]:
    """Patients in the order of a hash, as many as make up the fraction."""
    ordered = sorted(train, key=lambda e: (hashlib.sha256(e.patient_ref.encode()).digest(), e.example_id))
    wanted = math.ceil(fraction * len(ordered))
    if not ordered:
        return []
    last = ordered[wanted - 1].patient_ref
    return [e for n, e in enumerate(ordered) if n < wanted or e.patient_ref == last]
