"""From a champion that does worse in use to the run that is to replace it: monitor, rollback and retraining sensor, joined. The whole
loop, with training and a server, is `python -m benchmarks.faults.loop_story`."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from pipelines.sensors import retraining_triggers
from preceptor.monitoring import simulation
from preceptor.monitoring.simulation import Simulation, Truth, shifted
from preceptor.monitoring.watch import watch_traffic
from preceptor.release.candidates import submit
from preceptor.release.registry import CHAMPION, PREVIOUS, bundle_of, get_alias, set_alias, tracking_of
from preceptor.release.store import open_store
from preceptor.settings import load_settings
from resources import WorkspaceResource
from tests.monitoring.conftest import PASSED

TWO = "preceptor/2"


@pytest.fixture
def worse(home, tmp_path, monkeypatch):
    """A second champion, of whose drafts clinicians keep less; the policy rolls back for that."""
    tracking, store = tracking_of(home.workspace), open_store(home.workspace)
    model = tmp_path / "second"
    model.mkdir()
    (model / "adapter.bin").write_text("other weights")
    bundle = bundle_of(tracking, home.champion)
    info = submit(tracking, store, "preceptor", None, model, bundle, PASSED, actor="test")
    assert info.ref == TWO
    set_alias(tracking, "preceptor", PREVIOUS, 1)
    set_alias(tracking, "preceptor", CHAMPION, 2)
    store.append("promoted", TWO, "test", {"version": TWO})
    store.close()

    first = datetime.now(UTC).date() - timedelta(days=31)
    made, usual = Simulation(17, first), Truth(volume=90)
    days = [*made.days(usual, 21, version="preceptor/1")]
    days += made.days(shifted(usual, kept=0.45), 10, version=TWO)
    simulation.write(home.workspace.serving / "traffic", days)

    config = Path(tmp_path / "policy.yaml")
    base = {"corpus": None, "corpus_records": None, "base_model": home.settings.base_model}
    config.write_text(json.dumps(base | {"monitoring": {"rollback": {"on": ["kept"]}}}))
    monkeypatch.setenv("PRECEPTOR_CONFIG", str(config))
    return home


def watch(home):
    store = open_store(home.workspace)
    try:
        return watch_traffic(home.workspace, load_settings(), tracking_of(home.workspace), store)
    finally:
        store.close()


def test_a_drop_of_quality_alarms_once_rolls_back_once_and_asks_for_one_retraining(worse):
    rolled_back = [watch(worse)["rollback"] for _ in range(3)]
    assert [bool(done) for done in rolled_back] == [True, False, False]
    assert rolled_back[0]["champion"] == "preceptor/1"
    assert get_alias(tracking_of(worse.workspace), "preceptor", CHAMPION) == 1
    store = open_store(worse.workspace)
    raised = [e for e in store.events(subject=TWO, kinds=("alarm_raised",)) if e.payload["measure"] == "kept"]
    store.close()
    assert len(raised) == 1

    with dg.DagsterInstance.ephemeral() as instance:

        def ask():
            resources = {"workspace": WorkspaceResource()}
            with dg.build_sensor_context(instance=instance, resources=resources) as context:
                return retraining_triggers(context)

        request = ask()
        assert request.tags["preceptor/cause"] == "quality"
        assert "Share of the draft kept" in request.tags["preceptor/why"]
        assert "is being started" in ask().skip_message  # not a second one
