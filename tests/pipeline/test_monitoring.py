"""The watch over production as Dagster runs it: the asset's numbers, and a check for each severity."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg

from assets.monitoring import traffic_report
from pipelines.checks import production_errors, production_warnings
from pipelines.definitions import defs
from preceptor.monitoring import simulation
from preceptor.monitoring.simulation import Simulation, Truth
from preceptor.settings import Workspace
from resources import WorkspaceResource


def test_an_alarm_fails_the_check_of_its_severity_only(tmp_path):
    first = datetime.now(UTC).date() - timedelta(days=5)
    simulation.write(
        Workspace(tmp_path).serving / "traffic", Simulation(3, first).days(Truth(volume=120, shed=0.3), 5)
    )
    with dg.DagsterInstance.ephemeral() as instance:
        done = dg.materialize(
            [traffic_report, production_errors, production_warnings],
            resources={"workspace": WorkspaceResource(home=str(tmp_path), profile="smoke")},
            instance=instance,
        )
    assert done.success
    checks = {c.check_name: c for c in done.get_asset_check_evaluations()}
    assert not checks["production_errors"].passed
    assert checks["production_errors"].severity == dg.AssetCheckSeverity.ERROR
    assert "Turned away" in checks["production_errors"].description
    assert checks["production_warnings"].passed
    facts = done.asset_materializations_for_node("traffic_report")[0].metadata
    assert facts["champion"].value == "no champion yet"
    assert facts["requests"].value > 100
    assert "Turned away" in facts["alarms"].value
    assert "data:image/png" in facts["by day"].value


def test_the_nightly_job_watches_and_the_main_job_does_not():
    nodes = {node.name for node in defs.resolve_job_def("monitoring").nodes}
    assert {"drift_report", "traffic_report", "traffic_report_production_errors"} <= nodes
    assert "traffic_report" not in {node.name for node in defs.resolve_job_def("pipeline").nodes}
