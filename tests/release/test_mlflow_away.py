"""MLflow's server is killed in the middle of a registration: real, on the loopback."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from benchmarks.faults.mlflow_story import Server
from preceptor.errors import PreceptorError
from preceptor.release import registry
from preceptor.release.registry import Tracking
from tests.release.conftest import bundle


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    made = Server(tmp_path_factory.mktemp("mlflow") / "server")
    made.start()
    yield made
    made.stop()


def killed_when_files_are_there(server: Server, tracking: Tracking, after: float | None) -> threading.Thread:
    """Kill the server as soon as a version's files lie where they belong, which is before it is registered; `after` so many
    seconds it is back."""

    def kill() -> None:
        folder = Path(tracking.artifacts.removeprefix("file://"))
        while not list(folder.glob("*/*/artifacts/model-*")):
            time.sleep(0.005)
        server.kill()
        if after is not None:
            time.sleep(after)
            server.start()

    thread = threading.Thread(target=kill)
    thread.start()
    return thread


@pytest.mark.parametrize("comes_back", [True, False])
def test_a_registration_that_loses_mlflow_waits_or_says_so_and_registers_once(
    server, tmp_path, monkeypatch, comes_back
):
    # 0, 2, 4, 8 … seconds between tries; the shipped number, 7, is about four minutes
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "7" if comes_back else "1")
    tracking, name = Tracking(server.uri, tmp_path.as_uri()), f"m-{comes_back}"
    model = tmp_path / "model"
    model.mkdir()
    for number in range(40):
        (model / f"adapter-{number}.bin").write_bytes(b"w" * 100_000)
    killing = killed_when_files_are_there(server, tracking, 2 if comes_back else None)
    if comes_back:
        first = registry.register(tracking, name, None, model, bundle())
        killing.join()
    else:
        with pytest.raises(PreceptorError, match="rule mlflow-away") as caught:
            registry.register(tracking, name, None, model, bundle())
        killing.join()
        assert server.uri in str(caught.value)
        server.start()
        first = registry.register(tracking, name, None, model, bundle())
    assert registry.register(tracking, name, None, model, bundle()) == first
    assert [found.version for found in registry.list_versions(tracking, name)] == [1]
    registry.check_files(tracking, first)
