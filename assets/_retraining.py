"""What assets do otherwise in a run of the job `retraining`: ask for a gain over the champion, and say what it brought."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from preceptor.release.stage import Submitted
    from preceptor.settings import Settings, Workspace

JOB = "retraining"
# Tags of the runs that a decision started: its id in the record, its causes, and their words.
DECISION, CAUSE, WHY = "preceptor/decision", "preceptor/cause", "preceptor/why"


def gain_asked(run: dg.DagsterRun, settings: "Settings") -> float | None:
    """What the model must gain over the champion beside what the gates ask; None outside of a retraining."""
    from preceptor.monitoring.retraining import required_gain

    if run.job_name != JOB:
        return None
    return required_gain(settings.monitoring.retraining, run.tags.get(CAUSE, "").split(", "))


def note_result(run: dg.DagsterRun, workspace: "Workspace", submitted: "Submitted") -> dict[str, str]:
    """Write down what a retraining brought; return it as metadata, empty outside of a retraining."""
    from preceptor.monitoring.outcome import brought
    from preceptor.monitoring.retraining_record import open_record

    if run.job_name != JOB:
        return {}
    outcome, note = brought(submitted.info, submitted.decision)
    with open_record(workspace.monitoring) as record:
        record.result(run.run_id, outcome, submitted.info.ref, note, datetime.now(UTC))
    return {"retrained because of": run.tags.get(WHY, "somebody started it"), "retraining": note}
