"""The sensors. All are off by default; the approval sensor is what a deployment switches on first."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

from assets._shared import batches
from assets.curated import curated_examples
from assets.deidentified import deidentified_documents
from assets.monitoring import drift_report
from assets.raw import raw_documents
from pipelines.jobs import pipeline, promotion, retraining
from pipelines.killed import close_killed, crashed
from pipelines.main_job import COMMAND_TAG
from pipelines.retraining import tick
from resources import WorkspaceResource

APPROVAL = "preceptor/approval"  # tag of a promotion's run: the number of the last approval's event
PARTITION = "dagster/partition"  # Dagster's own tag of a run
ATTEMPTS = 5
# What becomes of a batch while there is a champion: its documents can be reviewed and learnt from, and nothing is trained.
UNTIL_TRAINING = [
    asset.key for asset in (raw_documents, deidentified_documents, curated_examples, drift_report)
]


def run_key(
    key: str, runs: Sequence[dg.RunRecord], now: datetime, minutes: float | None = None
) -> str | None:
    """The key under which a run is asked for, `key` the first time; None if it was, and need not be again.

    `runs` are those asked for so far, the newest first. What was refused is not asked for again, nor what somebody cancelled;
    what was killed is. `close_killed` sees that on this machine; elsewhere one that has been started for longer than `minutes`
    counts as killed: if it was not, two of the same at once do no harm.
    """
    if not runs:
        return key
    last = runs[0].dagster_run
    killed = (
        minutes is not None
        and last.status == dg.DagsterRunStatus.STARTED
        and now - _utc(runs[0].update_timestamp) > timedelta(minutes=minutes)
    )
    return f"{key}-{len(runs)}" if (killed or crashed(last)) and len(runs) < ATTEMPTS else None


def _utc(at: datetime) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=UTC)


@dg.sensor(
    job=promotion,
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Sees signed approvals in the record and starts the promotion. Nothing is promoted without one.",
)
def approvals(
    context: dg.SensorEvaluationContext, workspace: WorkspaceResource
) -> dg.SensorResult | dg.SkipReason:
    from preceptor.release.promotion import pending

    settings = workspace.settings().release
    with workspace.record() as record:
        waiting = pending(record, required=settings.required_approvals)
    if not waiting:
        return dg.SkipReason("no approved version waits")
    # No cursor: the record says what waits, and the daemon starts one run for a key.
    close_killed(context.instance, workspace)
    requests = []
    for item in waiting:
        runs = context.instance.get_run_records(dg.RunsFilter(tags={APPROVAL: str(item.event)}))
        key = run_key(f"approval-{item.event}", runs, datetime.now(UTC), settings.promotion_minutes)
        if key:
            requests.append(
                dg.RunRequest(
                    run_key=key,
                    run_config={"ops": {"champion": {"config": {"version": item.ref}}}},
                    tags={"preceptor/version": item.ref, APPROVAL: str(item.event)},
                )
            )
    return dg.SensorResult(run_requests=requests)


@dg.sensor(
    job=pipeline,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Sees batches that `preceptor intake` brought. Without a champion it runs the whole pipeline for each; with one, up "
    "to curated examples and drift: whether to train is then for retraining_triggers to decide.",
)
def new_batches(
    context: dg.SensorEvaluationContext, workspace: WorkspaceResource
) -> dg.SensorResult | dg.SkipReason:
    from preceptor.release.stage import present_champion

    with workspace.vault() as vault:
        known = vault.batches()
    instance = context.instance
    there = set(instance.get_dynamic_partitions("batches"))
    fresh = [b for b in known if b not in there]
    close_killed(instance, workspace)
    runs = _runs_by_batch(instance, known)
    keys = {b: key for b in known if (key := _batch_key(b, runs[b]))}
    if not keys:
        return dg.SkipReason("no new batch in the vault")
    champion = present_champion(workspace.tracking(), workspace.settings())
    only = UNTIL_TRAINING if champion else None
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(run_key=key, partition_key=b, asset_selection=only) for b, key in keys.items()
        ],
        dynamic_partitions_requests=[batches.build_add_request(fresh)] if fresh else [],
    )


def _runs_by_batch(instance: dg.DagsterInstance, known: Sequence[str]) -> dict[str, list[dg.RunRecord]]:
    """The runs of each batch, the newest first."""
    found: dict[str, list[dg.RunRecord]] = {batch: [] for batch in known}
    for record in instance.get_run_records(dg.RunsFilter(tags={PARTITION: list(known)})) if known else ():
        found[record.dagster_run.tags[PARTITION]].append(record)
    return found


def _batch_key(batch: str, runs: Sequence[dg.RunRecord]) -> str | None:
    """A batch is asked for once, and again when its run was killed; what somebody or `preceptor run` took up is theirs."""
    if any(COMMAND_TAG in found.dagster_run.tags for found in runs):
        return None
    return run_key(f"batch-{batch}", runs, datetime.now(UTC))


@dg.sensor(
    job=retraining,
    minimum_interval_seconds=600,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Starts a retraining when a cause calls for one and the policy lets it; says why it did not "
    "(docs/retraining.md). The run's tags name the causes.",
)
def retraining_triggers(
    context: dg.SensorEvaluationContext, workspace: WorkspaceResource
) -> dg.RunRequest | dg.SkipReason:
    return tick(context.instance, workspace, datetime.now(UTC))


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Tells webhooks and e-mail what became of model versions, as the settings' notifications say. Starts no run.",
)
def notifications(workspace: WorkspaceResource) -> dg.SkipReason:
    from preceptor.notifications.outbox import deliver

    settings = workspace.settings().notifications
    if not settings.webhooks and settings.email is None:
        return dg.SkipReason("the settings name no webhook and no e-mail")
    with workspace.record() as record:
        done = deliver(record, settings)
    problems = "".join(f" {problem}" for problem in done.problems.values())
    return dg.SkipReason(f"{done.sent} messages sent.{problems}")


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.STOPPED,
    description="Sees runs whose process is gone and says that they failed, which frees their pools and lets run_retries see them.",
)
def lost_runs(context: dg.SensorEvaluationContext, workspace: WorkspaceResource) -> dg.SkipReason:
    lost = close_killed(context.instance, workspace)
    return dg.SkipReason(f"{lost} runs were lost, at {datetime.now(UTC):%H:%M:%S} UTC")


SENSORS = [approvals, new_batches, retraining_triggers, notifications, lost_runs]
