from __future__ import annotations

import subprocess
import sys

import dagster as dg

from pipelines.definitions import defs

HEAVY = {
    "torch",
    "transformers",
    "mlflow",
    "pandas",
    "presidio_analyzer",
    "spacy",
    "great_expectations",
    "pyarrow",
    "optuna",
}


def test_definitions_load_without_any_heavy_library():
    """The UI, the daemon and every step pay for what is imported here; benchmarks/definitions.py has the seconds."""
    code = "import sys, pipelines.definitions as d; d.defs.resolve_job_def('pipeline'); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()).isdisjoint(HEAVY)


def test_the_webserver_can_load_them_all():
    """It takes every job at once, and refuses all of them for two of one name, such as a job called as its asset is."""
    dg.Definitions.validate_loadable(defs)
    jobs = {job.name for job in defs.get_repository_def().get_all_jobs()}
    assert {"pipeline", "retraining", "monitoring", "promotion", "rollback", "search_recipes"} <= jobs


def test_every_asset_has_a_group_an_owner_kinds_and_a_description():
    for asset in defs.resolve_asset_graph().asset_nodes:
        assert asset.group_name != "default", asset.key
        assert asset.owners, asset.key
        assert asset.kinds, asset.key
        assert len(asset.description or "") > 40, asset.key


def test_the_graph_leads_from_raw_documents_to_the_champion():
    graph = defs.resolve_asset_graph()
    above = graph.upstream_key_iterator(dg.AssetKey("champion"))
    assert dg.AssetKey("raw_documents") in set(above)


def test_all_automation_is_off_by_default():
    assert {s.default_status for s in defs.sensors} == {dg.DefaultSensorStatus.STOPPED}
    assert {s.default_status for s in defs.schedules} == {dg.DefaultScheduleStatus.STOPPED}
    assert {s.name for s in defs.sensors} == {
        "approvals",
        "new_batches",
        "retraining_triggers",
        "notifications",
        "lost_runs",
    }


def test_the_pipeline_job_promotes_nobody():
    job = defs.resolve_job_def("pipeline")
    assert "champion" not in {node.name for node in job.nodes}


def test_a_recipe_is_searched_for_only_where_somebody_asks():
    for name in ("pipeline", "retraining"):
        assert "recipe_search" not in {node.name for node in defs.resolve_job_def(name).nodes}
    assert [node.name for node in defs.resolve_job_def("search_recipes").nodes] == ["recipe_search"]


def test_an_unforeseen_error_leaves_no_text_in_dagsters_storage(tmp_path):
    from assets._shared import quiet

    marker = "Quackenbosh was admitted"

    @dg.asset
    @quiet
    def fails() -> None:
        raise ValueError(marker)

    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        result = dg.materialize([fails], instance=instance, raise_on_error=False)
        assert not result.success
    stored = b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    assert b"unexpected ValueError" in stored
    assert marker.encode() not in stored


def test_every_stage_that_a_run_may_stop_at_is_an_asset():
    from preceptor.cli.run import STAGES

    known = {key.to_user_string() for key in defs.resolve_asset_graph().get_all_asset_keys()}
    assert set(STAGES) <= known
