"""The processes of docker/compose.yaml without containers: MLflow, code server, webserver and daemon, on one PostgreSQL."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from benchmarks.faults.postgres import Postgres
from benchmarks.faults.processes import ROOT, answers, free_port, spawn, stop_all
from benchmarks.faults.webserver import Webserver

DOCKER = ROOT / "docker"
SHIPPED = ROOT / "dagster_home" / "dagster-postgres.yaml"
_BIN = Path(sys.executable).parent
_RUNS = "query { runsOrError(limit: 200) { ... on Runs { results { runId status parentRunId tags { key value } } } } }"
ENDED = {"SUCCESS", "FAILURE", "CANCELED"}


class Services:
    """What runs, and the webserver's GraphQL API. `environment` is that of the code server: the home and its settings."""

    def __init__(self, folder: Path, postgres: Postgres, environment: dict[str, str]) -> None:
        self.folder, self.postgres = folder, postgres
        self.mlflow, self.code, self.web = free_port(), free_port(), free_port()
        # The very file that users take.
        self.dagster_home = Path(environment["PRECEPTOR_HOME"]) / "dagster_home"
        self.dagster_home.mkdir(parents=True)
        shutil.copy(SHIPPED, self.dagster_home / "dagster.yaml")
        (folder / "workspace.yaml").write_text(
            f"load_from:\n  - grpc_server: {{host: 127.0.0.1, port: {self.code}, location_name: preceptor}}\n"
        )
        database = {"PGPASSWORD": postgres.password}
        self.dagster_environment = database | {
            "DAGSTER_HOME": str(self.dagster_home),
            "DAGSTER_PG_HOST": "127.0.0.1",
            "DAGSTER_PG_PORT": str(postgres.port),
            "DAGSTER_PG_DB": "dagster",
            "DAGSTER_PG_USERNAME": "dagster",
        }
        self.code_environment = (
            self.dagster_environment
            | environment
            | {"PRECEPTOR_TRACKING_URI": f"http://127.0.0.1:{self.mlflow}"}
        )
        self._mlflow_environment = database | {
            "MLFLOW_BACKEND_STORE_URI": f"postgresql+psycopg2://mlflow@127.0.0.1:{postgres.port}/mlflow",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.unanswered = 0  # questions to the webserver that came to nothing
        self.webserver = Webserver(self.web, "preceptor")

    def start(self) -> None:
        """Start all, and wait until the webserver has loaded the definitions from the code server."""
        commands = self._commands()
        self._run("mlflow", commands["mlflow"], self._mlflow_environment)
        wait_for(lambda: answers(f"http://127.0.0.1:{self.mlflow}/health"), 180)
        once = [str(_BIN / commands["instance"][0]), *commands["instance"][1:]]
        subprocess.run(once, env=os.environ | self.dagster_environment, check=True, stdout=subprocess.DEVNULL)
        self._run("code", commands["code"], self.code_environment)
        self._run("webserver", commands["webserver"], self.dagster_environment)
        wait_for(lambda: answers(f"http://127.0.0.1:{self.web}/server_info"), 180)
        self._run("daemon", commands["daemon"], self.dagster_environment)
        wait_for(self.webserver.has_loaded, 180)

    def healthy(self) -> dict[str, bool]:
        """What docker/health.py, the image's HEALTHCHECK, says of each service."""
        asked = {
            "mlflow": f"http://127.0.0.1:{self.mlflow}/health",
            "code": f"grpc://127.0.0.1:{self.code}",
            "webserver": f"http://127.0.0.1:{self.web}/server_info",
            "daemon": "daemon",
        }
        path = {"PATH": f"{_BIN}:{os.environ['PATH']}"}
        return {
            name: subprocess.run(
                [sys.executable, str(DOCKER / "health.py")],
                env=os.environ | self.dagster_environment | path | {"PRECEPTOR_HEALTH": what},
                check=False,
            ).returncode
            == 0
            for name, what in asked.items()
        }

    def stop(self) -> None:
        stop_all(self.processes.values())

    def runs(self) -> list[dict[str, Any]]:
        """All of them. While PostgreSQL is away the webserver answers 500, which is counted, and asked again."""
        while True:
            try:
                return self.webserver.ask(_RUNS)["runsOrError"]["results"]
            except (httpx.HTTPError, RuntimeError, KeyError):
                self.unanswered += 1
                if self.processes["webserver"].poll() is not None or self.unanswered > 600:
                    raise
                time.sleep(1)

    def statuses(self, *runs: str) -> list[str]:
        """Of these runs; of one that was begun anew, of its last try."""
        known = self.runs()

        def last(run: str) -> dict[str, Any]:
            (one,) = (r for r in known if r["runId"] == run)
            tries = [r for r in known if r["parentRunId"] == run and r["runId"] != run]
            return last(tries[0]["runId"]) if tries else one

        return [last(run)["status"] for run in runs]

    def _commands(self) -> dict[str, list[str]]:
        """Those of docker/compose.yaml, with this machine's addresses and folders."""
        text = re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", (DOCKER / "compose.yaml").read_text())
        services = yaml.safe_load(text)["services"]
        here = {
            "0.0.0.0": "127.0.0.1",
            "--host=0.0.0.0": "--host=127.0.0.1",
            "--port=5000": f"--port={self.mlflow}",
            "4000": str(self.code),
            "3000": str(self.web),
            "/etc/preceptor/workspace.yaml": str(self.folder / "workspace.yaml"),
        }
        home = self.code_environment["PRECEPTOR_HOME"]
        return {
            name: [here.get(w, w).replace("/home/preceptor/data", home) for w in services[name]["command"]]
            for name in ("mlflow", "instance", "code", "webserver", "daemon")
        }

    def _run(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        program, *arguments = command
        self.processes[name] = spawn(
            [_BIN / program, *arguments], os.environ | environment, self.folder / f"{name}.log"
        )


def wait_for(condition: Any, seconds: float, every: float = 0.5) -> float:
    """Wait until `condition()`; return how long it took. Raises `TimeoutError`."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise TimeoutError(
                f"{getattr(condition, '__name__', condition)} did not come true in {seconds} s"
            )
        time.sleep(every)
    return time.monotonic() - began


@contextmanager
def running(folder: Path, environment: dict[str, str]) -> Iterator[Services]:
    """PostgreSQL and all services in `folder`, for as long as the block runs."""
    postgres = Postgres(folder / "postgres")
    postgres.create("dagster", "mlflow")
    services = Services(folder, postgres, environment)
    try:
        services.start()
        yield services
    finally:
        services.stop()
        postgres.stop("fast")
