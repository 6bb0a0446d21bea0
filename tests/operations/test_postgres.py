"""A real PostgreSQL under Dagster and MLflow, with the instance file that users take. The whole story, with every service and
outages, is benchmarks/faults/postgres_story.py."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from benchmarks.faults.postgres import Postgres, binaries

pytest.importorskip("dagster_postgres", reason="the extra `postgres` is not installed")
if binaries() is None:
    pytest.skip("PostgreSQL's programs are not on this machine", allow_module_level=True)

import dagster as dg

from benchmarks.faults.services import SHIPPED
from preceptor.release.registry import CHAMPION, ENV_TRACKING, get_alias, register, set_alias, tracking_of
from preceptor.settings import Workspace
from tests.release.conftest import bundle


@pytest.fixture(scope="module")
def postgres():
    # Not under pytest's folder, which only its owner may enter: PostgreSQL runs as another user where this is root.
    folder = Path(tempfile.mkdtemp(prefix="preceptor-test-postgres-"))
    folder.chmod(0o755)
    server = Postgres(folder / "server")
    try:
        server.create("dagster", "mlflow")
        yield server
        server.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def environment(postgres, monkeypatch):
    for name, value in {
        "DAGSTER_PG_HOST": "127.0.0.1",
        "DAGSTER_PG_PORT": str(postgres.port),
        "DAGSTER_PG_DB": "dagster",
        "DAGSTER_PG_USERNAME": "dagster",
        "PGPASSWORD": postgres.password,
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def instance(environment, tmp_path):
    shutil.copy(SHIPPED, tmp_path / "dagster.yaml")
    with dg.DagsterInstance.from_config(str(tmp_path)) as found:
        yield found


@dg.op(pool="accelerator")
def train() -> None:
    pass


@dg.job(executor_def=dg.in_process_executor)
def training() -> None:
    train()


def test_runs_are_kept_in_postgres_over_a_restart_and_a_crash(instance, postgres, tmp_path):
    first = training.execute_in_process(instance=instance)
    postgres.restart("fast")
    second = training.execute_in_process(instance=instance)
    postgres.restart("immediate")
    assert {r.run_id for r in instance.get_runs()} == {first.run_id, second.run_id}
    kept = postgres.sql("SELECT count(*) FROM runs WHERE status = 'SUCCESS'", "dagster")
    assert kept == "2"
    assert not list(tmp_path.rglob("*.db"))


def test_one_training_at_a_time(instance):
    config = instance.get_concurrency_config().pool_config
    assert config.default_pool_limit == 1
    assert config.pool_granularity.value == "run"


def test_the_password_stands_in_no_file_and_goes_to_no_run(instance, postgres, tmp_path):
    assert postgres.password not in dg.serialize_value(instance.get_ref())
    assert postgres.password not in (tmp_path / "dagster.yaml").read_text()


def test_a_run_whose_process_died_is_begun_anew_and_a_refused_one_is_not(instance):
    retries = instance.get_settings("run_retries")
    assert retries["max_retries"] == 2 and retries["enabled"]
    assert retries["retry_on_asset_or_op_failure"] is False


def test_the_registry_is_kept_in_postgres_over_a_crash(environment, postgres, tmp_path, monkeypatch):
    address = f"postgresql+psycopg2://mlflow@127.0.0.1:{postgres.port}/mlflow"
    monkeypatch.setenv(ENV_TRACKING, address)
    workspace = Workspace(tmp_path / "home")
    tracking = tracking_of(workspace)
    model = tmp_path / "model"
    model.mkdir()
    (model / "adapter_model.safetensors").write_bytes(b"weights")
    made = register(tracking, "preceptor", None, model, bundle())
    postgres.restart("immediate")
    set_alias(tracking, "preceptor", CHAMPION, made.version)
    assert get_alias(tracking, "preceptor", CHAMPION) == 1
    assert register(tracking, "preceptor", None, model, bundle()).ref == "preceptor/1"
    assert not (workspace.mlflow / "mlflow.db").exists()
    assert Path(made.source.removeprefix("file://")).is_relative_to(workspace.mlflow)
