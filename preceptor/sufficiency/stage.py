"""The stage: a curated version in, a verdict on it out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from preceptor.curation.curate import STAGE as CURATED
from preceptor.models import resolve
from preceptor.progress import Progress, silent
from preceptor.quality import require
from preceptor.settings import Settings, Workspace, resolve_path
from preceptor.sufficiency import VERSION
from preceptor.sufficiency.learning_curve import FRACTIONS, Measured, measure
from preceptor.sufficiency.plot import learning_curve
from preceptor.sufficiency.verdict import sufficiency
from preceptor.tables import DOCUMENTS, EXAMPLES, read_documents, read_examples
from preceptor.training.recipe import load_recipe
from preceptor.versions import DatasetVersion, load, make_version, newest, write_atomic

STAGE = "sufficiency"
VERDICT, PLOT = "verdict.json", "learning-curve.png"


def assess(
    workspace: Workspace,
    settings: Settings,
    tracking_uri: str,
    experiment: Callable[[], str],
    curve: bool | None = None,
    on_progress: Progress = silent,
) -> DatasetVersion:
    """Make the verdict on the newest curated version; its facts are those of `sufficiency`.

    `curve`: whether to measure the learning curve, four short trainings; None: as `sufficiency.curve` says. Killed, it goes
    on after the last training that ended. Raises `GateRefused` if the curated version did not pass its gate.
    """
    chosen = settings.sufficiency
    curated = newest(workspace.data, CURATED)
    require(workspace.data, "curated_examples", curated.name)
    with_curve = chosen.curve if curve is None else curve
    recipe = load_recipe(resolve_path(settings.training.recipe), settings.training.overrides)
    base = resolve(settings.base_model, workspace) if with_curve else None

    def write(folder: Path) -> dict[str, Any]:
        measured = Measured([], {})
        if base is not None:
            measured = measure(
                workspace,
                base,
                curated,
                recipe,
                chosen,
                tracking_uri,
                experiment,
                FRACTIONS,
                on_progress,
            )
        sources = [load(workspace.data, stage, name) for stage, name in curated.manifest["inputs"].items()]
        documents = {d.document_ref: d for source in sources for d in read_documents(source.path / DOCUMENTS)}
        examples = read_examples(curated.path / EXAMPLES)
        found = sufficiency(examples, documents, measured.points, chosen.min_effective, measured.by_task)
        write_atomic(folder / VERDICT, json.dumps(found, indent=1) + "\n")
        write_atomic(
            folder / PLOT,
            learning_curve(found["curve"], {t: facts["curve"] for t, facts in found["tasks"].items()}),
        )
        return found

    return make_version(
        workspace.data,
        STAGE,
        inputs={"curated": curated.name, **({"base": base.digest} if base else {})},
        config={
            **chosen.model_dump(mode="json", exclude={"curve"}),
            "curve": with_curve,
            **({"recipe": recipe.model_dump(mode="json")} if with_curve else {}),
        },
        code=VERSION,
        write=write,
    )
