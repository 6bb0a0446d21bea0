"""The sensors. All are off by default; the approval sensor is what a deployment switches on first."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg

from assets._shared import batches
from pipelines.jobs import pipeline, promotion, retraining
from pipelines.lost_runs import lost_runs
from pipelines.retraining import tick
from resources import WorkspaceResource

APPROVAL = "preceptor/approval"  # tag of a promotion's run: the number of the last approval's event
ATTEMPTS = 5


def run_key(event: int, runs: Sequence[dg.RunRecord], now: datetime, minutes: float) -> str | None:
    """The key under which the promotion for an approval is asked for; None if it was, and need not be again.

    `runs` are those asked for so far, the newest first. What was refused is not asked for again, nor what somebody cancelled;
    what was killed is: Dagster does not see it where runs are processes of this machine, and the run stays "started" for ever. So one
    that has taken longer than `minutes` counts as killed; if it was not, two of the same at once do no harm.
    """
    if not runs:
        return f"approval-{event}"
    last = runs[0].dagster_run
    killed = last.status == dg.DagsterRunStatus.STARTED and now - _utc(runs[0].update_timestamp) > timedelta(
        minutes=minutes
    )
    crashed = (
        last.status == dg.DagsterRunStatus.FAILURE
        and last.tags.get("dagster/failure_reason") != "STEP_FAILURE"
    )
    return f"approval-{event}-{len(runs)}" if (killed or crashed) and len(runs) < ATTEMPTS else None


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
    requests = []
    for item in waiting:
        runs = context.instance.get_run_records(dg.RunsFilter(tags={APPROVAL: str(item.event)}))
        if key := run_key(item.event, runs, datetime.now(UTC), settings.promotion_minutes):
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
    description="Sees batches that `preceptor intake` brought and runs the pipeline for each.",
)
def new_batches(
    context: dg.SensorEvaluationContext, workspace: WorkspaceResource
) -> dg.SensorResult | dg.SkipReason:
    with workspace.vault() as vault:
        known = vault.batches()
    fresh = [b for b in known if not context.instance.has_dynamic_partition("batches", b)]
    if not fresh:
        return dg.SkipReason("no new batch in the vault")
    return dg.SensorResult(
        run_requests=[dg.RunRequest(run_key=f"batch-{b}", partition_key=b) for b in fresh],
        dynamic_partitions_requests=[batches.build_add_request(fresh)],
    )


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


SENSORS = [approvals, new_batches, retraining_triggers, notifications, lost_runs]
