"""A run whose process is gone is found, and no other."""

import os
import subprocess
import sys
import time

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from dagster._core.storage.tags import GRPC_INFO_TAG

from pipelines.lost_runs import LOST, lost, lost_runs

OF_A_CODE_SERVER = {GRPC_INFO_TAG: '{"host": "code", "port": 4000}'}


@dg.job
def nothing() -> None:
    pass


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as found:
        yield found


def started(instance, tags=OF_A_CODE_SERVER, at=None):
    run = instance.create_run_for_job(nothing, tags=tags)
    event = dg.DagsterEvent("PIPELINE_START", "nothing")
    instance.report_dagster_event(event, run.run_id, timestamp=at or time.time())
    return run


def says(instance, run, pid):
    """As a run's process does when it begins its steps."""
    instance.report_engine_event("Executing steps in process", run, EngineEventData.in_process(pid))
    return run.run_id


@pytest.fixture
def ended():
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    return process.pid


def test_a_run_whose_process_ended_is_lost(instance, ended):
    run = says(instance, started(instance), ended)
    assert [r.run_id for r in lost(instance)] == [run]


def test_one_that_runs_or_said_nothing_yet_or_was_started_otherwise_is_not(instance, ended):
    says(instance, started(instance), os.getpid())
    started(instance)
    says(instance, started(instance, tags={}), ended)
    assert lost(instance) == []


def test_a_number_that_another_process_has_by_now_is_not_the_run(instance):
    run = started(instance, at=time.time() - 86_400)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as later:
        says(instance, run, later.pid)
        assert [r.run_id for r in lost(instance)] == [run.run_id]
        later.communicate(b"\n")


def test_the_sensor_says_that_it_failed(instance, ended):
    run = says(instance, started(instance), ended)
    with dg.build_sensor_context(instance=instance) as context:
        answer = lost_runs(context)
    assert "1 runs were lost" in answer.skip_message
    assert instance.get_run_by_id(run).status == dg.DagsterRunStatus.FAILURE
    failures = instance.get_records_for_run(run, of_type=dg.DagsterEventType.RUN_FAILURE).records
    assert [LOST in r.event_log_entry.dagster_event.message for r in failures] == [True]
