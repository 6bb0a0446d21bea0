"""Runs that are called started and whose process is gone.

Where runs are processes of the code server (Dagster's default launcher), nobody looks after them: the code server watches its
children, but stops watching for ever if the database is away at a look. A run would stay "started", and hold its pool. On
Kubernetes the daemon asks the cluster by itself, and there is nothing to find here.
"""

from datetime import UTC, datetime

import dagster as dg
from dagster._core.storage.tags import GRPC_INFO_TAG

_CLOCKS_APART = 60.0  # seconds, at most, between the database's entries and the kernel's count
LOST = "Its process is gone, and nobody said how it ended. What its stages finished is kept."


def lost(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """Started runs of this machine's code server whose process is not there any more, or is another one by now.

    To be asked where the code server runs: the numbers of processes are those of its container.
    """
    started = instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    return [
        record.dagster_run
        for record in started
        if GRPC_INFO_TAG in record.dagster_run.tags
        and (pid := _process(instance, record.dagster_run.run_id)) is not None
        and not _is_alive(pid, record.start_time or 0.0)
    ]


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


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Sees runs whose process is gone and says that they failed, which frees their pools and lets run_retries see them.",
)
def lost_runs(context: dg.SensorEvaluationContext) -> dg.SkipReason:
    found = lost(context.instance)
    for run in found:
        context.instance.report_run_failed(run, LOST)
    return dg.SkipReason(f"{len(found)} runs were lost, at {datetime.now(UTC):%H:%M:%S} UTC")
