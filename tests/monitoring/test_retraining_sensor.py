"""The sensor and the schedule in Dagster: what they start, what they withhold and why, and what a kill in between does."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from assets._retraining import gain_asked, note_result
from pipelines.retraining import tick
from pipelines.schedules import retrain_monthly
from pipelines.sensors import retraining_triggers
from preceptor.cli import main
from preceptor.errors import UsageError
from preceptor.locks import exclusive
from preceptor.monitoring.retraining_record import open_record
from preceptor.release.candidates import bar
from preceptor.release.erasure import ERASED
from preceptor.release.gates import GateDecision, GateReason
from preceptor.release.stage import Submitted
from preceptor.release.store import open_store
from preceptor.settings import RetrainingSettings, Settings
from resources import WorkspaceResource

from .conftest import reviewing

SOON = timedelta(minutes=5)


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def ask(instance):
    """What the daemon gets: a request for a run, or why there is none."""
    with dg.build_sensor_context(instance=instance, resources={"workspace": WorkspaceResource()}) as context:
        return retraining_triggers(context)


def later(instance, after: timedelta = SOON):
    return tick(instance, WorkspaceResource(), datetime.now(UTC) + after)


def said(answer) -> str:
    assert isinstance(answer, dg.SkipReason), answer
    return answer.skip_message


def bring_reviewed_data(home, batch: str) -> None:
    """A batch with enough documents, and enough examples that somebody accepted."""
    home.batch(batch, 60)
    store = open_store(home.workspace)
    sign = reviewing(store)
    for n in range(10):
        case = {"case": f"{batch}-{n}", "verdict": "accept"}
        store.append("example_reviewed", f"summary-{batch}-{n}", "rita", case, sign)
    store.close()


def erase_somebody(home) -> None:
    store = open_store(home.workspace)
    bar(store, ["preceptor/1"], reason=ERASED, actor="test")
    store.close()


def execute(instance, request: dg.RunRequest | None, workspace=None, outcome: str = "", fails: bool = False):
    """A run of the job that Dagster starts for a request, or somebody by hand, with this outcome."""

    @dg.op
    def work(context) -> None:
        if outcome:
            with open_record(workspace.monitoring) as record:
                record.result(context.run_id, outcome, "preceptor/2", "It ends here.", datetime.now(UTC))
        if fails:
            raise ValueError

    @dg.job(name="retraining")
    def job() -> None:
        work()

    tags = dict(request.tags) if request else {}
    return job.execute_in_process(instance=instance, tags=tags, raise_on_error=False)


def decisions(home):
    with open_record(home.workspace.monitoring) as record:
        return record.entries()


def test_without_a_cause_it_says_how_far_off_one_is(home, instance):
    assert "no cause: preceptor/1 is 0 of 180 days old, 0 of 50 new documents" in said(ask(instance))
    assert decisions(home) == []


def test_from_new_data_to_a_note_that_it_is_not_better_and_on_to_an_erasure(home, instance):
    bring_reviewed_data(home, "b2")
    request = ask(instance)
    assert request.tags["preceptor/cause"] == "new-data"
    assert request.tags["preceptor/why"].startswith("60 documents and 10 reviewed examples since preceptor/1")
    # killed before Dagster made the run: the same run is asked for, after what a launch may take
    assert "decision 1 is being started" in said(ask(instance))
    again = later(instance)
    assert (again.run_key, again.tags) == (request.run_key, request.tags)
    execute(instance, request, home.workspace, "not-better")
    # the same facts start nothing twice
    assert "no cause" in said(ask(instance))
    (done,) = decisions(home)
    assert (done.outcome, done.version, done.note) == ("not-better", "preceptor/2", "It ends here.")
    assert done.ended_at and done.minutes > 0
    bring_reviewed_data(home, "b3")
    for _ in range(2):
        why = said(ask(instance))
        assert why.startswith("withheld by cool-down (the last retraining brought nothing better")
        assert "new-data: 60 documents and 10 reviewed examples since the last retraining" in why
    assert [(e.started, e.withheld_by) for e in decisions(home)] == [(True, ""), (False, "cool-down")]
    erase_somebody(home)
    assert ask(instance).tags["preceptor/cause"] == "new-data, erasure"


def test_only_one_is_at_work_whoever_started_it(home, instance):
    erase_somebody(home)
    with exclusive(home.workspace.home / "run.lock", UsageError("busy")):
        assert "withheld by one-at-a-time (`preceptor run` is at work)" in said(ask(instance))
    killed = dg.DagsterRun(
        job_name="pipeline",
        run_id="0" * 36,
        status=dg.DagsterRunStatus.STARTED,
        tags={"preceptor/command": "run"},
    )
    instance.add_run(killed)  # it holds no lock any more
    at_work = dg.DagsterRun(job_name="pipeline", run_id="1" * 36, status=dg.DagsterRunStatus.STARTED)
    instance.add_run(at_work)
    assert "withheld by one-at-a-time (run 11111111 of pipeline is at work)" in said(ask(instance))
    instance.report_run_canceled(at_work)
    assert isinstance(ask(instance), dg.RunRequest)


def test_a_decision_waits_for_its_run_and_no_second_one_starts(home, instance):
    bring_reviewed_data(home, "b2")
    request = ask(instance)
    run = dg.DagsterRun(
        job_name="retraining", run_id="2" * 36, status=dg.DagsterRunStatus.STARTED, tags=dict(request.tags)
    )
    instance.add_run(run)
    erase_somebody(home)
    assert "withheld by one-at-a-time" in said(later(instance))
    assert decisions(home)[0].run_id == "2" * 36


def test_a_run_that_fails_is_noted_and_tried_again_later_even_for_an_erasure(home, instance):
    erase_somebody(home)
    execute(instance, ask(instance), fails=True)
    assert "withheld by after-failure" in said(ask(instance))
    failed = decisions(home)[0]
    assert failed.outcome == "failed" and "ended as failure" in failed.note
    request = later(instance, timedelta(hours=7))
    assert request.tags["preceptor/cause"] == "erasure"
    assert request.tags["preceptor/decision"] not in ("1", failed.id)


def test_a_decision_of_which_no_run_ever_came_is_given_up(home, instance):
    bring_reviewed_data(home, "b2")
    ask(instance)
    assert "after-failure" in said(later(instance, timedelta(hours=25)))
    assert decisions(home)[0].note == "no run was started for it"


def test_a_run_that_somebody_started_by_hand_counts_too(home, instance):
    execute(instance, None, home.workspace, "not-better")
    bring_reviewed_data(home, "b2")
    assert "withheld by cool-down" in said(ask(instance))
    first = decisions(home)[0]
    assert (first.causes[0].cause, first.outcome) == ("by-hand", "not-better")
    assert len(decisions(home)) == 2
    said(ask(instance))
    assert len(decisions(home)) == 2


def test_what_the_calendar_asks_for_while_no_window_is_open_starts_when_one_is(home, tmp_path, monkeypatch):
    now = datetime.now(UTC)
    tomorrow = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[(now.weekday() + 1) % 7]
    config = tmp_path / "windows.yaml"
    windows = {"monitoring": {"retraining": {"windows": [{"days": [tomorrow]}]}}}
    base = {"corpus": None, "corpus_records": None, "base_model": home.settings.base_model}
    config.write_text(json.dumps(base | windows))
    monkeypatch.setenv("PRECEPTOR_CONFIG", str(config))
    (tmp_path / "dagster").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance:
        with dg.build_schedule_context(
            instance=instance, scheduled_execution_time=now, resources={"workspace": WorkspaceResource()}
        ) as context:
            answer = retrain_monthly(context)
        assert "withheld by window" in said(answer) and "calendar: the schedule asked for it" in said(answer)
        assert later(instance, timedelta(days=1)).tags["preceptor/cause"] == "calendar"


def test_the_command_shows_decisions_and_what_would_happen_now(home, instance, capfd):
    bring_reviewed_data(home, "b2")
    execute(instance, ask(instance), home.workspace, "not-better")
    bring_reviewed_data(home, "b3")
    ask(instance)

    def call(*more: str) -> str:
        with pytest.raises(SystemExit) as ended:
            main(["--home", str(home.workspace.home), "monitor", "retraining", *more])
        out, err = capfd.readouterr()
        assert ended.value.code == 0, err
        return out

    found = json.loads(call("--json"))
    assert [(d["outcome"], d["withheld_by"]) for d in found["decisions"]] == [
        ("not-better", None),
        (None, "cool-down"),
    ]
    assert found["now"]["withheld_by"] == "cool-down" and list(found["now"]["causes"]) == ["new-data"]
    text = call()
    assert "1: It ends here." in text and "Now none would start (cool-down)" in text
    assert len(decisions(home)) == 2  # looking changes nothing


# what the assets do in such a run


def run_of(job: str, **tags: str) -> dg.DagsterRun:
    return dg.DagsterRun(job_name=job, run_id="3" * 36, tags={f"preceptor/{k}": v for k, v in tags.items()})


def test_a_gain_is_asked_in_a_retraining_only_and_not_for_an_erasure():
    given = Settings(monitoring={"retraining": RetrainingSettings(min_gain_over_champion=0.01)})
    assert gain_asked(run_of("retraining", cause="new-data, drift"), given) == 0.01
    assert gain_asked(run_of("retraining"), given) == 0.01
    assert gain_asked(run_of("retraining", cause="new-data, erasure"), given) is None
    assert gain_asked(run_of("pipeline", cause="drift"), given) is None


def test_what_a_retraining_brought_is_in_the_record_and_in_the_metadata(home):
    refused = GateReason(
        "gain-over-champion", False, -0.01, 0.0, "lower end of the gain -0.0100, must exceed +0.0000"
    )
    second = replace(home.champion, version=2, aliases=())
    submitted = Submitted(second, GateDecision(False, (refused,)))
    assert note_result(run_of("pipeline"), home.workspace, submitted) == {}
    metadata = note_result(run_of("retraining", why="60 documents"), home.workspace, submitted)
    assert metadata["retrained because of"] == "60 documents"
    assert "preceptor/2 is not good enough" in metadata["retraining"] and "-0.0100" in metadata["retraining"]
    with open_record(home.workspace.monitoring) as record:
        record.adopt("3" * 36, "preceptor/1", datetime.now(UTC))
        (entry,) = record.entries()
    assert (entry.outcome, entry.version, entry.note) == ("not-better", "preceptor/2", metadata["retraining"])
