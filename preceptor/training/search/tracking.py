"""A search in MLflow: a run of its own, under which its trials are shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from preceptor.release.mlflow_client import translated
from preceptor.training.search.results import BEST, PLOT, TRIALS
from preceptor.training.search.space import Space
from preceptor.training.search.study import FAILED, Trial
from preceptor.versions import write_atomic

_KEPT = "mlflow-run"


class SearchRun:
    """The MLflow run of the search in a folder: the one that it had before it was killed, or a new one."""

    def __init__(self, folder: Path, tracking_uri: str, experiment: str, space: Space) -> None:
        import mlflow

        self._folder = folder
        self.tracking_uri, self.experiment = tracking_uri, experiment
        self._client = mlflow.MlflowClient(tracking_uri)
        with translated(tracking_uri):
            self.run_id = self._run_of(folder / _KEPT, space)

    def _run_of(self, kept: Path, space: Space) -> str:
        if kept.exists():
            run_id = kept.read_text().strip()
            self._client.update_run(run_id, status="RUNNING")
            return run_id
        run_id = self._client.create_run(self.experiment, run_name=f"search-{self._folder.name}").info.run_id
        for key, value in _flat(space.model_dump(mode="json", exclude={"trials"})).items():
            self._client.log_param(run_id, key, value)
        write_atomic(kept, run_id)
        return run_id

    def add(self, trial: Trial, best: Trial | None) -> None:
        """Show the loss of a trial, and the lowest so far."""
        with translated(self.tracking_uri):
            self._add(trial, best)

    def _add(self, trial: Trial, best: Trial | None) -> None:
        outcome = trial.outcome
        if outcome.run_id:
            self._client.set_tag(outcome.run_id, "preceptor.trial", f"{trial.number} {outcome.state}")
            if outcome.state == FAILED:
                # One that was killed could not say so itself.
                self._client.set_terminated(outcome.run_id, "FAILED")
        for name, of in (("validation_loss", trial), ("lowest_validation_loss", best)):
            if of and of.outcome.loss is not None:
                self._client.log_metric(self.run_id, name, of.outcome.loss, step=trial.number)

    def end(self, status: str) -> None:
        """Close the run (FINISHED, FAILED or KILLED) with the files that are there."""
        with translated(self.tracking_uri):
            for name in (TRIALS, BEST, PLOT):
                if (self._folder / name).exists():
                    self._client.log_artifact(self.run_id, str(self._folder / name))
            self._client.set_terminated(self.run_id, status)


def _flat(values: dict[str, Any], under: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= _flat(value, f"{under}{key}.") if isinstance(value, dict) else {f"{under}{key}": value}
    return found
