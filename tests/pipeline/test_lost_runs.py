"""A run whose process is gone is found, however it ended, and no other."""

import os
import time

import dagster as dg
import pytest

from pipelines.killed import LOST, close_killed
from pipelines.sensors import lost_runs
from resources import WorkspaceResource, alive
from tests.holding import a_minute_ago, holders


@dg.job
def nothing() -> None:
    pass


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as found:
        yield found


@pytest.fixture
def workspace(tmp_path):
    return WorkspaceResource(home=str(tmp_path))


@pytest.fixture
def process(workspace):
    """Starts the process of a run."""
    with holders() as start:
        yield lambda run_id: start(workspace.workspace().home, run_id)


def started(instance):
    run = instance.create_run_for_job(nothing)
    instance.report_dagster_event(dg.DagsterEvent("PIPELINE_START", "nothing"), run.run_id)
    return run.run_id


def a_while_ago(workspace, run_id):
    a_minute_ago(workspace.workspace().dagster_home, run_id)


def status(instance, run_id):
    return instance.get_run_by_id(run_id).status


def test_a_run_whose_process_ended_is_lost(instance, workspace, process):
    """By itself, as when the database was away: nobody told Dagster."""
    run = started(instance)
    assert process(run).communicate() and close_killed(instance, workspace) == 0, "Dagster may yet be told"
    a_while_ago(workspace, run)
    assert close_killed(instance, workspace) == 1
    assert status(instance, run) == dg.DagsterRunStatus.FAILURE
    failures = instance.get_records_for_run(run, of_type=dg.DagsterEventType.RUN_FAILURE).records
    assert [LOST in r.event_log_entry.dagster_event.message for r in failures] == [True]
    assert close_killed(instance, workspace) == 0 and alive.begun(workspace.workspace()) == []


def test_one_that_ended_before_the_clock_was_set_back_is_lost_too(instance, workspace, process):
    run = started(instance)
    process(run).communicate()
    path = workspace.workspace().dagster_home / "alive" / f"{run}.lock"
    os.utime(path, (time.time() + 24 * 3600,) * 2)
    assert close_killed(instance, workspace) == 1


def test_one_that_is_at_work_or_has_not_begun_is_not(instance, workspace, process):
    at_work, not_begun = started(instance), started(instance)
    process(at_work)
    a_while_ago(workspace, at_work)
    assert close_killed(instance, workspace) == 0
    assert {status(instance, run) for run in (at_work, not_begun)} == {dg.DagsterRunStatus.STARTED}
    assert alive.begun(workspace.workspace()) == [at_work]


def test_of_a_run_that_ended_in_order_nothing_is_left(instance, workspace, process):
    run = started(instance)
    process(run).communicate()
    instance.report_dagster_event(dg.DagsterEvent("PIPELINE_SUCCESS", "nothing"), run)
    with alive.alive(workspace.workspace(), "of-a-run-that-was-deleted"):
        pass
    assert close_killed(instance, workspace) == 0
    assert status(instance, run) == dg.DagsterRunStatus.SUCCESS and alive.begun(workspace.workspace()) == []


def test_the_sensor_says_how_many(instance, workspace, process):
    run = started(instance)
    process(run).kill()
    a_while_ago(workspace, run)
    with dg.build_sensor_context(instance=instance, resources={"workspace": workspace}) as context:
        assert "1 runs were lost" in lost_runs(context).skip_message
    assert status(instance, run) == dg.DagsterRunStatus.FAILURE
