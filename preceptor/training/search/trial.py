"""One trial: a training like any other, of which the losses are kept and not the weights."""

from __future__ import annotations

import json
import math
import shutil
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

from preceptor.errors import PreceptorError
from preceptor.training.failures import FAILURE
from preceptor.training.jobs import PRUNED, TrainingJob
from preceptor.training.search.study import COMPLETE, FAILED, Outcome
from preceptor.training.search.trainer import Trainer

# Failures that say nothing of the values: the search stops, and the trial is trained when it goes on.
_NOT_ITS_FAULT = ("rule disk-full", "rule mlflow-away", "rule training-in-progress")
_STOPPED = (128 + signal.SIGTERM, -signal.SIGTERM, -signal.SIGINT)


def run_trial(job: TrainingJob, trainer: Trainer, lowest: bool) -> Outcome:
    """Train the job, or take the result it has, and say how it ended.

    `lowest`: what counts is the lowest validation loss, as where a recipe keeps the best weights, and not the last. A training
    that fails is an outcome. Raises `PreceptorError` where it was stopped, or failed for something that the next would meet,
    too.
    """
    folder = Path(job.folder)
    result, failure = folder / "result.json", folder / FAILURE
    if not result.exists():
        failure.unlink(missing_ok=True)
        code = trainer.train(job)
        if not result.exists():
            reason = failure.read_text().strip() if failure.exists() else _how_it_ended(code)
            if code in _STOPPED or any(rule in reason for rule in _NOT_ITS_FAULT):
                raise PreceptorError(
                    f"The search stopped in a trial: {reason} The same command goes on with it."
                )
            _drop_weights(folder)
            return Outcome(FAILED, reason=reason, run_id=_run_of(folder))
    _drop_weights(folder)
    return _outcome(json.loads(result.read_text()), lowest)


def _outcome(result: dict[str, Any], lowest: bool) -> Outcome:
    if not result["validation_examples"]:
        raise PreceptorError("There is no validation split: what a recipe is worth cannot be measured.")
    evaluations = tuple(
        (int(row["step"]), float(row["eval_loss"])) for row in result["history"] if "eval_loss" in row
    )
    losses = [loss for _, loss in evaluations]
    said = Outcome(FAILED, seconds=result["seconds"], run_id=result["run_id"])
    if not losses:
        return replace(said, reason=f"it ended before its first evaluation: {result['ended']}.")
    if not all(math.isfinite(loss) for loss in losses):
        return replace(said, reason="the validation loss is not finite.")
    said = replace(said, evaluations=evaluations)
    if result["ended"].startswith(PRUNED):
        return replace(
            said, state=PRUNED, loss=losses[-1], reason=result["ended"].removeprefix(f"{PRUNED}: ")
        )
    return replace(said, state=COMPLETE, loss=min(losses) if lowest else losses[-1])


def _how_it_ended(code: int) -> str:
    if code == -signal.SIGKILL:
        return "its process was killed, as the kernel does where memory runs out."
    if code < 0:
        return f"its process ended by {signal.Signals(-code).name}."
    return f"its process ended with exit code {code}, and its last lines say why."


def _run_of(folder: Path) -> str:
    kept = folder / "mlflow-run"
    return kept.read_text().strip() if kept.exists() else ""


def _drop_weights(folder: Path) -> None:
    """All folders in it hold weights; a search of full trainings would fill the disk with them."""
    for part in folder.iterdir():
        if part.is_dir():
            shutil.rmtree(part)
