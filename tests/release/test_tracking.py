"""Where a home's tracking is: in the home, or where the environment says."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from preceptor.errors import PreceptorError, UsageError
from preceptor.release.mlflow_client import reaching
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


class _Answers(BaseHTTPRequestHandler):
    """Answers everything with one status, as a proxy does whose server is away, or a server that does not like what it is sent."""

    status = 503

    def do_GET(self):
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(b"Mr Quillfeather is not here")

    do_POST = do_GET

    def log_message(self, *_):
        pass


@pytest.mark.parametrize(
    ("status", "says"),
    [(None, "mlflow-away"), (502, "mlflow-away"), (503, "mlflow-away"), (403, "refused"), (500, "refused")],
)
def test_a_server_that_is_away_is_told_from_one_that_refuses_and_is_not_quoted(monkeypatch, status, says):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    answering = type("Answers", (_Answers,), {"status": status})
    with HTTPServer(("127.0.0.1", 0), answering) as server:
        address = f"http://127.0.0.1:{server.server_port}"
        if status is None:
            server.server_close()  # nobody listens there any more
        else:
            threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(PreceptorError) as caught, reaching(address) as client:
            client.search_experiments()
        if status is not None:
            server.shutdown()
    assert says in str(caught.value) and address in str(caught.value)
    assert "Quillfeather" not in str(caught.value)
