"""Runs that are called started and whose process is gone.

Where runs are processes of the code server (Dagster's default launcher), nobody looks after them: the code server watches its
children, but stops watching for ever if the database is away at a look. A run would stay "started", hold its pool, and be
waited for. On Kubernetes the daemon asks the cluster by itself, and there is nothing to find here.
"""

import dagster as dg

from resources import WorkspaceResource, alive

LOST = "Its process is gone, and nobody said how it ended. What was done is kept; the next run goes on from there."


def close_killed(instance: dg.DagsterInstance, workspace: WorkspaceResource) -> int:
    """Report them as failed, so that nothing waits for them and what they were for is asked for again. Returns how many.

    To be asked where the code server runs: locks are those of its machine or container.
    """
    ours, lost = workspace.workspace(), 0
    for run_id in alive.begun(ours):
        run = instance.get_run_by_id(run_id)
        if run is not None and not run.is_finished:
            if not alive.is_gone(ours, run_id):
                continue
            instance.report_run_failed(run, LOST)
            lost += 1
        alive.forget(ours, run_id)
    return lost


def crashed(run: dg.DagsterRun) -> bool:
    """Whether it failed for another reason than that a step did: a step refuses, or fails again."""
    return (
        run.status == dg.DagsterRunStatus.FAILURE and run.tags.get("dagster/failure_reason") != "STEP_FAILURE"
    )
