"""What `preceptor run` prints while the job runs: a line when a stage begins, one when it ends."""

import logging
import sys
import time
from typing import Any

import dagster as dg

STAGES = {
    "raw_documents": "raw documents into the vault",
    "deidentified_documents": "de-identification",
    "curated_examples": "curated instruction data",
    "data_sufficiency": "is there enough data",
    "synthetic_examples": "synthetic augmentation",
    "fine_tuned_model": "training",
    "evaluation_report": "evaluation",
    "candidate_version": "registry",
    "governance_papers": "governance documents",
    "drift_report": "monitoring",
}


class _StageHandler(logging.Handler):
    """Turns Dagster's step events into lines; everything else is for the UI."""

    def __init__(self) -> None:
        super().__init__()
        self._began: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        event = getattr(record, "dagster_event", None) or getattr(record, "dagster_meta", {}).get(
            "dagster_event"
        )
        step = getattr(event, "step_key", None)
        if event is None or step is None:
            return
        said = self._said(step, event)
        if said:
            print(said, file=sys.stderr, flush=True)

    def _said(self, step: str, event: Any) -> str | None:
        kind = event.event_type_value
        if kind == "STEP_START":
            self._began[step] = time.monotonic()
            if step in STAGES:
                return f"[{list(STAGES).index(step) + 1}/{len(STAGES)}] {STAGES[step]}"
        elif kind == "STEP_SUCCESS" and step in STAGES:
            return f"  done in {time.monotonic() - self._began.get(step, time.monotonic()):.1f} s"
        elif kind == "STEP_FAILURE":
            return f"  {step} {'stopped' if interrupted(event) else 'failed'}"
        elif kind == "ASSET_CHECK_EVALUATION":
            evaluation = event.event_specific_data
            return f"  gate {evaluation.check_name}: {'passed' if evaluation.passed else 'FAILED'}"
        return None


def interrupted(event: Any) -> bool:
    """Whether a step failed because a person stopped the run."""
    error = event.step_failure_data.error
    return bool(error and error.cls_name == dg.DagsterExecutionInterruptedError.__name__)


@dg.logger(config_schema={}, description="Begin and end of each stage, on standard error.")
def stage_log(context: dg.InitLoggerContext) -> logging.Logger:
    logger = logging.Logger("preceptor.stages", level=logging.DEBUG)
    logger.addHandler(_StageHandler())
    return logger
