"""What is printed of a stage that a person stopped is not that it failed."""

import os
import signal
import time

import dagster as dg

from pipelines.stage_log import interrupted, stage_log


@dg.op
def stopped():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(30)


@dg.op
def failed():
    raise ValueError


def said_of(op, capsys):
    @dg.job(logger_defs={"stages": stage_log})
    def job():
        op()

    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(
            instance=instance, raise_on_error=False, run_config={"loggers": {"stages": {"config": {}}}}
        )
    (failure,) = (event for event in result.all_events if event.is_step_failure)
    return interrupted(failure), capsys.readouterr().err


def test_a_stage_that_was_stopped_and_one_that_failed(capsys):
    assert said_of(stopped, capsys) == (True, "  stopped stopped\n")
    assert said_of(failed, capsys) == (False, "  failed failed\n")
