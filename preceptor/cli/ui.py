"""`preceptor ui`: what a person looks at, all together."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import click

from preceptor.cli._common import settings, workspace
from preceptor.errors import PreceptorError, UsageError
from preceptor.settings import ROOT

PORTS = {"dagster": 3000, "mlflow": 5000, "review": 8400}


@click.command()
@click.option("--dagster-port", default=PORTS["dagster"], show_default=True)
@click.option("--mlflow-port", default=PORTS["mlflow"], show_default=True)
@click.option("--review-port", default=PORTS["review"], show_default=True)
def ui(dagster_port: int, mlflow_port: int, review_port: int) -> None:
    """Start the Dagster webserver and daemon, the MLflow UI and the review app on the loopback interface; Ctrl-C stops them all."""
    from preceptor.release.registry import ENV_TRACKING

    settings()
    server = os.environ.get(ENV_TRACKING, "")  # an MLflow that runs elsewhere; ours is then not started
    ports = {"--dagster-port": dagster_port, "--mlflow-port": mlflow_port, "--review-port": review_port}
    if server:
        del ports["--mlflow-port"]
    for option, port in ports.items():
        if is_taken(port):
            raise UsageError(f"Port {port} is in use; {option} takes another.")
    ours, config = workspace(), click.get_current_context().find_root().obj["config"]
    bin_folder = Path(sys.executable).parent
    environment = os.environ | {
        "PRECEPTOR_HOME": str(ours.home),
        **({"PRECEPTOR_CONFIG": str(config)} if config else {}),
        "DAGSTER_HOME": str(ours.prepare_dagster_home()),
        "DAGSTER_TELEMETRY_ENABLED": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "PYTHONWARNINGS": "ignore",
    }
    ours.mlflow.mkdir(parents=True, exist_ok=True)
    definitions = ["-m", "pipelines.definitions"]
    commands = {
        "dagster": [
            bin_folder / "dagster-webserver",
            *definitions,
            "-h",
            "127.0.0.1",
            "-p",
            str(dagster_port),
        ],
        "daemon": [bin_folder / "dagster-daemon", "run", *definitions],
        "mlflow": [
            *(
                bin_folder / "mlflow",
                "server",
                "--host",
                "127.0.0.1",
                "--port",
                str(mlflow_port),
                "--workers",
                "1",
            ),
            *("--backend-store-uri", f"sqlite:///{ours.mlflow / 'mlflow.db'}"),
            *("--artifacts-destination", str(ours.mlflow / "artifacts")),
        ],
        "review": [
            *(sys.executable, "-c", "from preceptor.cli import main; main()", "--home", ours.home),
            *(("--config", config) if config else ()),
            *("review", "--port", str(review_port)),
        ],
    }
    if server:
        del commands["mlflow"]
    log = ours.home / "logs" / "ui.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, _interrupt)
    with log.open("w") as output:
        # Each in a session of its own: they have children that must end with them.
        processes = {
            name: subprocess.Popen(
                [str(part) for part in command],
                env=environment,
                cwd=ROOT,
                start_new_session=True,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            for name, command in commands.items()
        }
    click.echo(f"Dagster:  http://127.0.0.1:{dagster_port}")
    click.echo(f"MLflow:   {server or f'http://127.0.0.1:{mlflow_port}'}")
    scheme = "https" if settings().review.tls_certificate else "http"
    click.echo(f"Review:   {scheme}://{settings().review.host}:{review_port}")
    click.echo(
        "Schedules and sensors are off until you switch them on under Automation. Ctrl-C stops everything."
    )
    starting = set(ports.values())
    try:
        while True:
            for name, process in processes.items():
                if process.poll() is not None:
                    raise PreceptorError(f"{name} ended with exit code {process.returncode}; {log} says why.")
            if starting and all(map(is_taken, starting)):
                starting = set()
                click.echo("All are ready.", err=True)
            time.sleep(1)
    except KeyboardInterrupt:
        click.echo("Stopping.", err=True)
    finally:
        _stop(processes.values())


def is_taken(port: int) -> bool:
    """Whether something listens on this port of the loopback interface."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _stop(processes: Iterable[subprocess.Popen[bytes]]) -> None:
    running = list(processes)
    for process in running:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
    for process in running:
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
