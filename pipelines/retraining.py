"""What Dagster knows of retrainings, for the sensor and the schedule that start them by the policy."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from assets._retraining import CAUSE, DECISION, JOB, WHY
from pipelines.killed import close_killed
from resources import WorkspaceResource

if TYPE_CHECKING:
    from preceptor.monitoring.retraining_record import Entry, Record

AT_WORK = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_LAUNCH = timedelta(
    minutes=2
)  # what a daemon may take from a request to a run, which the other daemon then sees
_GIVEN_UP = timedelta(hours=24)  # a decision of which no run has come by then
_NEWEST = 100  # runs of the job that are looked at for those that somebody started by hand
_WHY_LENGTH = 250


def tick(
    instance: dg.DagsterInstance, workspace: WorkspaceResource, now: datetime, due: datetime | None = None
) -> dg.RunRequest | dg.SkipReason:
    """Settle what has ended or was killed, look at the causes, and ask for a run if the policy lets one start; else say why not.

    `due`: the calendar asks for a retraining, from then on. Killed anywhere, the next tick goes on: a start is written down
    before a run is asked for, and asked for again under the same key as long as there is none.
    """
    from preceptor.monitoring.considering import consider
    from preceptor.monitoring.facts import champion_of, open_sources
    from preceptor.monitoring.retraining_record import open_record

    close_killed(instance, workspace)
    ours = workspace.workspace()
    with open_record(ours.monitoring) as record:
        if due is not None:
            record.note_due(due)
        waiting = settle(instance, record, now)
        if waiting is not None and now - waiting.at < _LAUNCH:
            return dg.SkipReason(f"the run of decision {waiting.id} is being started")
        if waiting is not None:
            return _request(waiting)
        with open_sources(ours, workspace.settings(), workspace.tracking()) as sources:
            strangers = _by_hand(instance, record)
            if strangers:
                champion = champion_of(sources)
                for run in strangers:
                    record.adopt(run.dagster_run.run_id, champion.ref if champion else None, _began(run))
                settle(instance, record, now)
            found, entry = consider(sources, record, now, at_work(instance, workspace))
    decision = found.decision
    if entry is not None and entry.open:
        return _request(entry)
    if decision.start:
        return dg.SkipReason("another tick decided in the meantime")
    if not decision.causes:
        return dg.SkipReason(decision.why)
    causes = "; ".join(f"{reason.cause}: {reason.text}" for reason in decision.causes)
    return dg.SkipReason(f"withheld by {decision.withheld_by} ({decision.why}). Causes: {causes}")


def settle(instance: dg.DagsterInstance, record: "Record", now: datetime) -> "Entry | None":
    """Write down what became of the runs of open decisions; return the decision that waits for its run, if one does."""
    for entry in [entry for entry in record.entries() if entry.open]:
        run = _run_of(instance, entry)
        if run is None:
            if now - entry.at < _GIVEN_UP and not entry.run_id:
                return entry
            gone = "its run is gone from Dagster" if entry.run_id else "no run was started for it"
            record.ended(entry.id, failed=True, note=gone, minutes=0.0, at=now)
            continue
        if not entry.run_id:
            record.launched(entry.id, run.dagster_run.run_id, now)
        status = run.dagster_run.status
        if status in AT_WORK:
            continue
        failed = status != dg.DagsterRunStatus.SUCCESS
        note = f"run {run.dagster_run.run_id[:8]} ended as {status.value.lower()}; Dagster shows the step that failed"
        record.ended(
            entry.id,
            failed=failed,
            note=note if failed else "the run ended and registered no version",
            minutes=((run.end_time or 0) - run.start_time) / 60 if run.start_time and run.end_time else 0.0,
            at=datetime.fromtimestamp(run.end_time, UTC) if run.end_time else now,
        )
    return None


def at_work(instance: dg.DagsterInstance, workspace: WorkspaceResource) -> str:
    """What is at work that trains, in words; empty: nothing is."""
    from pipelines.main_job import COMMAND_TAG
    from preceptor.locks import held

    if held(workspace.workspace().home / "run.lock"):
        return "`preceptor run` is at work"
    for found in instance.get_run_records(dg.RunsFilter(statuses=AT_WORK)):
        run = found.dagster_run
        # One of `preceptor run` is at work only while that holds its lock; killed, it stays "started" in Dagster.
        if COMMAND_TAG in run.tags:
            continue
        if run.job_name in (JOB, "pipeline") or dg.AssetKey("fine_tuned_model") in (
            run.asset_selection or ()
        ):
            return f"run {run.run_id[:8]} of {run.job_name.strip('_')} is at work"
    return ""


def _by_hand(instance: dg.DagsterInstance, record: "Record") -> Sequence[dg.RunRecord]:
    """Runs of the job, the earliest first, that no decision of the record has become."""
    entries = record.entries()
    known = {entry.run_id for entry in entries}
    waiting = {str(entry.id) for entry in entries if entry.open and not entry.run_id}
    found = instance.get_run_records(dg.RunsFilter(job_name=JOB), limit=_NEWEST)
    return [
        run
        for run in reversed(found)
        if run.dagster_run.run_id not in known and run.dagster_run.tags.get(DECISION) not in waiting
    ]


def _run_of(instance: dg.DagsterInstance, entry: "Entry") -> dg.RunRecord | None:
    only = (
        dg.RunsFilter(run_ids=[entry.run_id])
        if entry.run_id
        else dg.RunsFilter(job_name=JOB, tags={DECISION: str(entry.id)})
    )
    found = instance.get_run_records(only, limit=1)
    return found[0] if found else None


def _began(run: dg.RunRecord) -> datetime:
    if run.start_time:
        return datetime.fromtimestamp(run.start_time, UTC)
    return run.create_timestamp.astimezone(UTC)


def _request(entry: "Entry") -> dg.RunRequest:
    why = "; ".join(reason.text for reason in entry.causes)
    return dg.RunRequest(
        run_key=f"retraining-{entry.id}-{entry.key}",
        tags={
            DECISION: str(entry.id),
            CAUSE: ", ".join(reason.cause for reason in entry.causes),
            WHY: why if len(why) <= _WHY_LENGTH else f"{why[: _WHY_LENGTH - 1]}…",
        },
    )
