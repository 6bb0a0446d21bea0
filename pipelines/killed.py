"""Runs that are called started and whose process is gone.

Where runs are processes of the code server (Dagster's default launcher), nobody looks after them: the code server watches its
children, but stops watching for ever if the database is away at a look. A run would stay "started", hold its pool, and be
waited for. Two things tell: the file that a run's process holds (resources/alive.py), for whoever started it, if it was killed;
and the process's number that the run told Dagster, also if it ended by itself without a word. On Kubernetes the daemon asks the
cluster by itself, and there is nothing to find here.
"""

import dagster as dg
from dagster._core.storage.tags import GRPC_INFO_TAG

from resources import WorkspaceResource
from resources.alive import was_killed

LOST = "Its process is gone, and nobody said how it ended. What was done is kept; the next run goes on from there."
_CLOCKS_APART = 60.0  # seconds, at most, between the database's entries and the kernel's count


def close_killed(instance: dg.DagsterInstance, workspace: WorkspaceResource) -> int:
    """Report them as failed, so that nothing waits for them and what they were for is asked for again. Returns how many.

    To be asked where the code server runs: files and numbers of processes are those of its machine or container.
    """
    at_work = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING])
    found = [
        record.dagster_run
        for record in instance.get_run_records(at_work)
        if was_killed(workspace.workspace(), record.dagster_run.run_id) or _has_no_process(instance, record)
    ]
    for run in found:
        instance.report_run_failed(run, LOST)
    return len(found)


def crashed(run: dg.DagsterRun) -> bool:
    """Whether it failed for another reason than that a step did: a step refuses, or fails again."""
    return (
        run.status == dg.DagsterRunStatus.FAILURE and run.tags.get("dagster/failure_reason") != "STEP_FAILURE"
    )


def _has_no_process(instance: dg.DagsterInstance, record: dg.RunRecord) -> bool:
    """Whether a code server started it, and the process that it said it is is not there any more, or is another one by now."""
    run = record.dagster_run
    if GRPC_INFO_TAG not in run.tags:
        return False
    pid = _process(instance, run.run_id)
    return pid is not None and not _is_alive(pid, record.start_time or 0.0)


def _process(instance: dg.DagsterInstance, run_id: str) -> int | None:
    """The number of the process that the run said it is; None as long as it has said nothing."""
    records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT).records
    for record in records:
        event = record.event_log_entry.dagster_event
        said = event.engine_event_data.metadata.get("pid") if event else None
        if said is not None:
            return int(str(said.value))
    return None


def _is_alive(pid: int, started: float) -> bool:
    """Whether that process runs, and ran when the run started: numbers are given again."""
    import psutil

    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= started + _CLOCKS_APART
    except psutil.NoSuchProcess:
        return False
