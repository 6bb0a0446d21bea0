"""Where a home's tracking is: in the home, or where the environment says."""

from __future__ import annotations

import pytest

from preceptor.errors import UsageError
from preceptor.release.registry import ENV_ARTIFACTS, ENV_TRACKING, tracking_of
from preceptor.settings import Workspace


def test_it_is_in_the_home_whatever_mlflow_was_told_for_other_work(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.elsewhere.example")
    found = tracking_of(Workspace(tmp_path))
    assert found.uri == f"sqlite:///{tmp_path / 'mlflow' / 'mlflow.db'}"
    assert found.artifacts == (tmp_path / "mlflow" / "artifacts").as_uri()
    assert not found.exists()


def test_a_server_keeps_runs_and_the_home_keeps_files(tmp_path, monkeypatch):
    monkeypatch.setenv(ENV_TRACKING, "http://mlflow:5000")
    found = tracking_of(Workspace(tmp_path))
    assert (found.uri, found.exists()) == ("http://mlflow:5000", True)
    assert found.artifacts == (tmp_path / "mlflow" / "artifacts").as_uri()
    monkeypatch.setenv(ENV_ARTIFACTS, "mlflow-artifacts:/preceptor/")
    assert tracking_of(Workspace(tmp_path)).artifacts == "mlflow-artifacts:/preceptor"


@pytest.mark.parametrize("name", [ENV_TRACKING, ENV_ARTIFACTS])
def test_a_password_in_an_address_is_refused_and_not_repeated(tmp_path, monkeypatch, name):
    monkeypatch.setenv(name, "postgresql://mlflow:hunter2@db.example/mlflow")
    with pytest.raises(UsageError, match=f"{name} holds a password .rule password-in-address") as caught:
        tracking_of(Workspace(tmp_path))
    assert "hunter2" not in str(caught.value)
