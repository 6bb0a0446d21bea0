"""Runs whose process was killed: Dagster shows them as started for ever where runs are processes of this machine."""

import dagster as dg

from resources import WorkspaceResource
from resources.alive import was_killed


def close_killed(instance: dg.DagsterInstance, workspace: WorkspaceResource) -> None:
    """Report them as failed, so that nothing waits for them and what they were for is asked for again."""
    at_work = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING])
    for record in instance.get_run_records(at_work):
        run = record.dagster_run
        if was_killed(workspace.workspace(), run.run_id):
            instance.report_run_failed(
                run, "Its process was killed. What was done is kept; the next run goes on from there."
            )


def crashed(run: dg.DagsterRun) -> bool:
    """Whether it failed for another reason than that a step did: a step refuses, or fails again."""
    return (
        run.status == dg.DagsterRunStatus.FAILURE and run.tags.get("dagster/failure_reason") != "STEP_FAILURE"
    )
