"""MLflow's server is killed in the middle of a run, comes back or does not: `python -m benchmarks.faults.mlflow_story`.

A real server (`mlflow server`, SQLite) on the loopback, a small home with some notes of the bundled corpus, profile `smoke`. Three
copies of the home after synthesis: one goes on undisturbed; in one the server is killed with -9 during training and again during
registration and is back after 20 seconds each time; in one it stays away until the command has given up, is started, and the same
command is called again. In the end all three must hold the same versions, weights and scores, one registered version each, and their
records must verify. --retries is MLflow's own MLFLOW_HTTP_REQUEST_MAX_RETRIES for the third (default 2, some seconds; MLflow's default
of 7 is about four minutes). Prints a line a step; exit code 1 if anything went otherwise. Some minutes on two cores.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.faults.outcome import Wrong, must, played
from benchmarks.faults.processes import answers, free_port, spawn, stop_all, to_group
from benchmarks.faults.services import wait_for
from benchmarks.faults.small_homes import Home, Process, configured, end_all, made, warm
from preceptor.release.registry import Tracking, list_versions

RULE = "rule mlflow-away"
AWAY = 20.0  # seconds
# What is there when the server is killed, and what is said then.
MARKS = {
    "training": "training/*/checkpoints/checkpoint-*",
    "registration": "mlflow/artifacts/*/*/artifacts/model-*",
}


class Server:
    """MLflow's, in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.port = folder, free_port()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        store = f"sqlite:///{self._folder / 'mlflow.db'}"
        command = [
            Path(sys.executable).parent / "mlflow",
            "server",
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
        ]
        command += ["--workers", "1", "--backend-store-uri", store]
        self._process = spawn([str(part) for part in command], os.environ | quiet, self._folder / "log")
        wait_for(lambda: answers(f"{self.uri}/health"), 180)

    def kill(self) -> None:
        """As a power cut does."""
        assert self._process is not None
        to_group(self._process, signal.SIGKILL)
        self._process.wait()

    def stop(self) -> None:
        if self._process is not None:
            stop_all([self._process], 10)


class Story:
    """The steps; `told` prints one."""

    def __init__(self, folder: Path, notes: int, patience: float, retries: int) -> None:
        self._folder, self._patience, self._retries = folder, patience, retries
        self._config = configured(folder, notes)
        self.servers: list[Server] = []
        self._began = time.monotonic()

    def told(self, text: str) -> None:
        print(f"{time.monotonic() - self._began:7.1f} s  {text}", flush=True)

    def play(self) -> None:
        begun = Home(self._folder / "begun", self._config, self._patience)
        begun.run("--until", "synthetic_examples")
        self.told("a home is made as far as synthesis, without MLflow")
        found = {}
        for name, chapter in (
            ("undisturbed", self._undisturbed),
            ("back", self._back),
            ("stays away", self._stays_away),
        ):
            server = Server(self._folder / f"mlflow-{len(self.servers)}")
            self.servers.append(server)
            server.start()
            at = self._folder / f"home-{len(self.servers)}"
            shutil.copytree(begun.workspace.home, at)
            more = {"PRECEPTOR_TRACKING_URI": server.uri}
            if name == "stays away":
                more["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = str(self._retries)
            home = Home(at, self._config, self._patience, more)
            chapter(home, server)
            home.verify()
            registered = list_versions(
                Tracking(server.uri, (home.workspace.mlflow / "artifacts").as_uri()), "preceptor"
            )
            must(len(registered) == 1, f"{name}: {len(registered)} versions are registered")
            found[name] = made(home.workspace)
            server.stop()
        first = found.pop("undisturbed")
        for name, ours in found.items():
            differing = sorted(key for key in first.keys() | ours.keys() if first.get(key) != ours.get(key))
            must(not differing, f"{name}: not the same as undisturbed: {', '.join(differing)}")
        self.told(
            f"all three hold the same {', '.join(sorted(first))}, one registered version each, and verify"
        )

    def _undisturbed(self, home: Home, server: Server) -> None:
        began = time.monotonic()
        home.run()
        self.told(f"undisturbed, the rest takes {time.monotonic() - began:.0f} s")

    def _back(self, home: Home, server: Server) -> None:
        began = time.monotonic()
        process = home.start()
        for stage, mark in MARKS.items():
            self._killed_at(home, server, process, stage, mark)
            time.sleep(AWAY)
            must(
                process.is_alive(),
                f"{stage}: it gave up: {home.ends(process)[1][-800:]}" if not process.is_alive() else "",
            )
            server.start()
            self.told(f"{stage}: the server is back after {AWAY:.0f} s")
        code, said = home.ends(process)
        must(code == 0, f"it ended with {code}: {said[-1500:]}")
        self.told(f"the command waited and came to its end by itself, in {time.monotonic() - began:.0f} s")

    def _stays_away(self, home: Home, server: Server) -> None:
        for stage, mark in MARKS.items():
            process = home.start()
            self._killed_at(home, server, process, stage, mark)
            began = time.monotonic()
            code, said = home.ends(process)
            last = next((line for line in reversed(said.splitlines()) if line.strip()), "")
            must(code == 1 and "Traceback" not in said, f"{stage}: exit code {code}: {said[-2500:]}")
            must(RULE in last and server.uri in last, f"{stage}: it does not name the server: {last}")
            self.told(f"{stage}: gave up after {time.monotonic() - began:.0f} s and says: {last.strip()}")
            server.start()
        began = time.monotonic()
        said = home.run()
        self.told(
            f"with the server there, the same command came to its end, in {time.monotonic() - began:.0f} s"
        )

    def _killed_at(self, home: Home, server: Server, process: Process, stage: str, mark: str) -> None:
        known = set(home.workspace.home.glob(mark))
        while process.is_alive():
            if set(home.workspace.home.glob(mark)) - known:
                server.kill()
                self.told(f"{stage}: kill -9 of MLflow's server")
                return
            time.sleep(0.01)
        raise Wrong(f"{stage} had ended before the server was killed: {home.ends(process)[1][-1500:]}")

    def end(self) -> None:
        """Nothing of it goes on running."""
        end_all()
        for server in self.servers:
            server.stop()


def main() -> int:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--notes", type=int, default=60)
    options.add_argument("--patience", type=float, default=600, metavar="SECONDS", help="for one command")
    options.add_argument(
        "--retries", type=int, default=2, help="of MLflow's client where the server stays away"
    )
    given = options.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the servers end with it
    warm()
    with tempfile.TemporaryDirectory(prefix="preceptor-mlflow-") as folder:
        story = Story(Path(folder), given.notes, given.patience, given.retries)
        return played(story.play, story.end)


if __name__ == "__main__":
    sys.exit(main())
