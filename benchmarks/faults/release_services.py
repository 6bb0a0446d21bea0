"""What the release's story needs running: Dagster's webserver and daemon, the review app, and a browser with a person at it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.faults.processes import ROOT, answers, free_port, spawn, stop_all, to_group
from benchmarks.faults.webserver import Webserver
from tests.release.conftest import PASSWORD
from tests.release.story import Home

_BIN = Path(sys.executable).parent
_DEFINITIONS = ("-m", "pipelines.definitions")
_STATUS = "query($id: ID!) { runOrError(runId: $id) { __typename ... on Run { status } } }"


class Services:
    """The processes of one home, all on the loopback interface."""

    def __init__(self, home: Home, patience: float) -> None:
        self.home, self.patience = home, patience
        self.dagster_port, self.review_port = free_port(), free_port()
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.web = Webserver(self.dagster_port, "pipelines.definitions")
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
        self.wait_for("the review app", lambda: answers(f"http://127.0.0.1:{self.review_port}/sign-in"))
        self.wait_for("Dagster's definitions", self.web.has_loaded)

    def start_daemon(self) -> None:
        self._run("daemon", _BIN / "dagster-daemon", "run", *_DEFINITIONS)

    def kill_daemon(self) -> None:
        """`kill -9` for the daemon, its code server and whatever run they started."""
        daemon = self.processes.pop("daemon")
        to_group(daemon, signal.SIGKILL)
        daemon.wait()

    def stop(self) -> None:
        stop_all(self.processes.values())

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

    def status(self, run: str) -> str:
        return self.web.ask(_STATUS, id=run)["runOrError"]["status"]

    def _run(self, name: str, *command: str | Path) -> None:
        logs = self.home.workspace.home / "logs"
        logs.mkdir(exist_ok=True)
        self.processes[name] = spawn(command, self._environment, logs / f"{name}.log")


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
