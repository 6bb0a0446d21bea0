"""Runs whose process was killed, which Dagster does not see; and what a batch is run for while there is a champion."""

from __future__ import annotations

import os
import time

import dagster as dg
import pytest

from pipelines.killed import close_killed
from pipelines.sensors import UNTIL_TRAINING, new_batches, retraining_triggers
from preceptor.locks import held
from preceptor.monitoring.retraining_record import open_record
from preceptor.release.store import open_store
from resources import WorkspaceResource, alive
from tests.holding import a_minute_ago, holders

RUN = "7" * 36


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def ask(instance, sensor):
    with dg.build_sensor_context(instance=instance, resources={"workspace": WorkspaceResource()}) as context:
        return sensor(context)


@pytest.fixture
def process():
    """Starts a process that holds a run's file."""
    with holders() as start:
        yield lambda workspace, run_id=RUN: start(workspace.home, run_id)


def kill(process, workspace, run_id=RUN) -> None:
    """Kill it, some seconds ago."""
    process.kill()
    process.wait()
    a_minute_ago(workspace.dagster_home, run_id)


def started(instance, job: str, **tags: str) -> dg.DagsterRun:
    run = dg.DagsterRun(job_name=job, run_id=RUN, status=dg.DagsterRunStatus.STARTED, tags=tags)
    instance.add_run(run)
    return run


def erasure(home) -> None:
    """Something that calls for a retraining."""
    from preceptor.release.candidates import bar
    from preceptor.release.erasure import ERASED

    store = open_store(home.workspace)
    bar(store, ["preceptor/1"], reason=ERASED, actor="test")
    store.close()


def test_a_run_is_gone_if_its_process_left_the_file_behind_and_nobody_holds_it(home, process):
    assert not alive.is_gone(home.workspace, RUN)  # it has not begun
    holder = process(home.workspace)
    path = home.workspace.dagster_home / "alive" / f"{RUN}.lock"
    os.utime(path, (time.time() - 60,) * 2)
    assert not alive.is_gone(home.workspace, RUN)  # at work
    kill(holder, home.workspace)
    assert alive.is_gone(home.workspace, RUN)
    path.write_text("another-machine")
    os.utime(path, (time.time() - 60,) * 2)
    assert not alive.is_gone(home.workspace, RUN)  # locks may not reach there
    with alive.alive(home.workspace, RUN):
        os.utime(path, (time.time() - 60,) * 2)
    assert not alive.is_gone(home.workspace, RUN)  # ended an instant ago: Dagster is about to be told
    os.utime(path, (time.time() - 60,) * 2)
    assert alive.is_gone(home.workspace, RUN)


def test_a_run_shows_that_it_is_there(home, instance):
    seen = []

    @dg.op
    def look(workspace: WorkspaceResource) -> None:
        seen.extend(alive.begun(workspace.workspace()))
        seen.append(held(home.workspace.dagster_home / "alive" / f"{seen[0]}.lock"))

    @dg.job(resource_defs={"workspace": WorkspaceResource()})
    def job() -> None:
        look()

    done = job.execute_in_process(instance=instance)
    assert seen == [done.run_id, True]
    close_killed(instance, WorkspaceResource())
    assert instance.get_run_by_id(done.run_id).is_success and alive.begun(home.workspace) == []


def test_a_retraining_that_was_killed_is_noted_as_failed_and_one_at_work_is_waited_for(
    home, instance, process
):
    erasure(home)
    request = ask(instance, retraining_triggers)
    started(instance, "retraining", **request.tags)
    holder = process(home.workspace)
    ask(instance, retraining_triggers)
    assert instance.get_run_by_id(RUN).status is dg.DagsterRunStatus.STARTED
    kill(holder, home.workspace)
    assert "withheld by after-failure" in ask(instance, retraining_triggers).skip_message
    assert instance.get_run_by_id(RUN).status is dg.DagsterRunStatus.FAILURE
    with open_record(home.workspace.monitoring) as record:
        entry = next(entry for entry in record.entries() if entry.started)
    assert (entry.outcome, entry.run_id) == ("failed", RUN)


def test_a_pipeline_run_that_was_killed_holds_no_retraining_up(home, instance, process):
    erasure(home)
    started(instance, "pipeline")
    kill(process(home.workspace), home.workspace)
    assert isinstance(ask(instance, retraining_triggers), dg.RunRequest)


def test_a_new_batch_trains_nothing_while_there_is_a_champion(home, instance, monkeypatch):
    asked = ask(instance, new_batches)
    (request,) = asked.run_requests
    assert request.partition_key == "b1"
    assert request.asset_selection == UNTIL_TRAINING
    assert dg.AssetKey("fine_tuned_model") not in UNTIL_TRAINING
    monkeypatch.setattr("preceptor.release.stage.get_alias", lambda *_: None)
    (request,) = ask(instance, new_batches).run_requests
    assert request.asset_selection is None


def test_a_batch_is_asked_for_again_only_if_its_run_was_killed(home, instance, process):
    (first,) = ask(instance, new_batches).run_requests
    instance.add_dynamic_partitions("batches", ["b1"])
    (again,) = ask(instance, new_batches).run_requests  # the daemon was killed before it made the run
    assert again.run_key == first.run_key == "batch-b1"
    started(instance, "pipeline", **{"dagster/partition": "b1"})
    holder = process(home.workspace)
    assert isinstance(ask(instance, new_batches), dg.SkipReason)
    kill(holder, home.workspace)
    (again,) = ask(instance, new_batches).run_requests
    assert again.run_key == "batch-b1-1"


def test_a_batch_of_preceptor_run_is_left_to_it(home, instance):
    tags = {"dagster/partition": "b1", "preceptor/command": "run"}
    instance.add_dynamic_partitions("batches", ["b1"])
    run = started(instance, "pipeline", **tags)
    instance.report_run_failed(run)
    assert isinstance(ask(instance, new_batches), dg.SkipReason)
