"""What the release's story needs running: Dagster's webserver and daemon, the review app, and a browser with a person at it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.release.conftest import PASSWORD
from tests.release.story import Home

ROOT = Path(__file__).resolve().parent.parent.parent
_BIN = Path(sys.executable).parent
_DEFINITIONS = ("-m", "pipelines.definitions")
_REPOSITORY = {"repositoryLocationName": "pipelines.definitions", "repositoryName": "__repository__"}
_LAUNCH = """mutation($given: ExecutionParams!) { launchRun(executionParams: $given) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
_SWITCH_ON = """mutation($given: SensorSelector!) { startSensor(sensorSelector: $given) {
  __typename ... on Sensor { sensorState { status } } ... on PythonError { message } } }"""
_STATUS = "query($id: ID!) { runOrError(runId: $id) { __typename ... on Run { status } } }"
_LOADED = (
    "query { repositoriesOrError { __typename ... on RepositoryConnection { nodes { sensors { name } } } } }"
)


class Services:
    """The processes of one home, all on the loopback interface."""

    def __init__(self, home: Home, patience: float) -> None:
        self.home, self.patience = home, patience
        self.dagster_port, self.review_port = _free_port(), _free_port()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._graphql = httpx.Client(base_url=f"http://127.0.0.1:{self.dagster_port}", timeout=60)
        self._environment = os.environ | {
            "PRECEPTOR_HOME": str(home.workspace.home),
            "PRECEPTOR_CONFIG": str(home.config),
            "DAGSTER_HOME": str(home.workspace.prepare_dagster_home()),
            "DAGSTER_TELEMETRY_ENABLED": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "PYTHONWARNINGS": "ignore",
        }

    def start(self) -> None:
        """Start all and wait until they answer."""
        here = ("-h", "127.0.0.1", "-p", str(self.dagster_port))
        self._run("web", _BIN / "dagster-webserver", *_DEFINITIONS, *here)
        self._run("review", *_PROGRAM, "review", "--port", str(self.review_port))
        self.start_daemon()
        self.wait_for("the review app", lambda: _answers(f"http://127.0.0.1:{self.review_port}/sign-in"))
        self.wait_for("Dagster's definitions", self._loaded)

    def start_daemon(self) -> None:
        self._run("daemon", _BIN / "dagster-daemon", "run", *_DEFINITIONS)

    def kill_daemon(self) -> None:
        """`kill -9` for the daemon, its code server and whatever run they started."""
        daemon = self.processes.pop("daemon")
        os.killpg(daemon.pid, signal.SIGKILL)
        daemon.wait()

    def stop(self) -> None:
        for process in self.processes.values():
            _signal(process, signal.SIGTERM)
        for process in self.processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            _signal(process, signal.SIGKILL)

    def wait_for(self, what: str, holds: Callable[[], Any]) -> Any:
        """Wait until `holds()` is true and return it. Raises `TimeoutError`, which says what did not come."""
        until = time.monotonic() + self.patience
        while not (found := holds()):
            if time.monotonic() > until:
                raise TimeoutError(f"{what} did not come in {self.patience:.0f} s")
            time.sleep(0.5)
        return found

    def program(self, *arguments: str) -> subprocess.Popen[str]:
        """`preceptor` with these arguments, started; its output comes together."""
        return subprocess.Popen(
            [*_PROGRAM, *arguments],
            env=self._environment,
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def switch_on(self, sensor: str) -> None:
        """As the switch on Dagster's automation page does."""
        answer = self._ask(_SWITCH_ON, given=_REPOSITORY | {"sensorName": sensor})["startSensor"]
        assert answer["__typename"] == "Sensor", answer

    def launch(self, job: str, config: dict[str, Any]) -> str:
        """Start a run as the launchpad does; return its id."""
        given = {
            "selector": _REPOSITORY | {"jobName": job},
            "runConfigData": config,
            "executionMetadata": {"tags": []},
        }
        answer = self._ask(_LAUNCH, given=given)["launchRun"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        return answer["run"]["runId"]

    def status(self, run: str) -> str:
        return self._ask(_STATUS, id=run)["runOrError"]["status"]

    def _ask(self, query: str, **variables: Any) -> dict[str, Any]:
        answer = self._graphql.post("/graphql", json={"query": query, "variables": variables})
        answer.raise_for_status()
        return answer.json()["data"]

    def _loaded(self) -> bool:
        try:
            return bool(self._ask(_LOADED)["repositoriesOrError"].get("nodes"))
        except httpx.HTTPError:
            return False

    def _run(self, name: str, *command: str | Path) -> None:
        logs = self.home.workspace.home / "logs"
        logs.mkdir(exist_ok=True)
        with (logs / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [str(part) for part in command],
                env=self._environment,
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,  # its children end with it
            )


_PROGRAM = (sys.executable, "-c", "from preceptor.cli import main; main()")


class Person:
    """Somebody at a browser: Chromium without a screen, a profile of its own, nothing but the loopback interface."""

    def __init__(self, browser: Any, services: Services, name: str) -> None:
        self.base, self.name = f"http://127.0.0.1:{services.review_port}", name
        self.page = browser.new_context().new_page()
        self.page.set_default_timeout(1000 * services.patience)
        self.elsewhere: list[str] = []
        self.page.on("request", self._note)

    def sign_in(self) -> None:
        self.page.goto(f"{self.base}/sign-in")
        self.page.get_by_label("Name").fill(self.name)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.get_by_role("heading", name="Your queue").wait_for()

    def approve(self, ref: str, reason: str) -> None:
        """From the queue to the page of a version, and sign it; the page must then show the decision."""
        page = self.page
        page.goto(self.base)
        if page.url.endswith("/sign-in"):  # a session ends when nothing is clicked for a while
            self.sign_in()
        page.get_by_role("link", name="See what waits for a signature").click()
        page.get_by_role("link", name=ref, exact=True).click()
        page.get_by_label("approved", exact=True).check()
        page.get_by_label("Reason (name no patient)").fill(reason)
        page.get_by_label("Your password, again").fill(PASSWORD)
        page.get_by_role("button", name="Sign", exact=True).click()
        page.get_by_role("cell", name=reason, exact=True).first.wait_for()

    def _note(self, request: Any) -> None:
        if urlsplit(request.url).hostname != "127.0.0.1":
            self.elsewhere.append(request.url)


@contextmanager
def chromium(path: str) -> Iterator[Any]:
    """The browser for as long as the block runs."""
    from playwright.sync_api import sync_playwright

    quiet = [
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-quic",
    ]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", *quiet], timeout=120_000
        )
        try:
            yield browser
        finally:
            browser.close()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=10).status_code == 200
    except httpx.HTTPError:
        return False


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
