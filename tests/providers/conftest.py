"""A home with judged data and a privacy officer, and a stand-in for the provider in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path

import pytest

from preceptor.providers import policy
from preceptor.providers.stage import plan
from preceptor.providers.worker import run
from preceptor.quality.gate import SUITES, Verdict
from preceptor.records import Example
from preceptor.release import users
from preceptor.release.store import open_store
from preceptor.settings import ROOT, Settings, Workspace
from preceptor.tables import EXAMPLES, write_examples
from preceptor.versions import file_sha256, make_version, write_atomic

KEY, KEY_ENV, PASSWORD = "sk-stand-in-7f3a9b21c4", "OUR_PROVIDER_KEY", "correct horse battery"
MARK = "ZEBRAFISH"  # in every example, and nowhere else


def example(number: int, split: str, **more: object) -> Example:
    return Example(
        example_id=f"{split}-{number:02d}",
        task="summary",
        split=split,
        patient_ref=f"p-{split}-{number}",
        document_refs=(f"d-{len(split):08x}{number:08x}",),
        specialty="cardiology",
        prompt=f"Summarise.\n\n{MARK} {split} visit {number}: cough for {number + 2} weeks, heart rate {60 + number}.",
        answer=f"Cough for {number + 2} weeks, rate {60 + number}.",
        **more,  # type: ignore[arg-type]
    )


def make_data(workspace: Workspace, train: int = 11, config: int = 1) -> None:
    """Curated and synthetic versions with passing verdicts."""
    curated = [
        example(n, split)
        for split, count in (("train", train), ("validation", 2), ("test", 4))
        for n in range(count)
    ]
    synthetic = [
        example(
            90, "train", provenance="synthetic", generator="variations", prompt_tokens=30, answer_tokens=8
        )
    ]
    for stage, suite, rows in (
        ("curated", "curated_examples", curated),
        ("synthetic", "synthetic_examples", synthetic),
    ):

        def write(folder: Path, rows: list[Example] = rows) -> dict:
            write_examples(folder / EXAMPLES, rows)
            return {}

        version = make_version(
            workspace.data, stage, inputs={"deid": "batch-1"}, config=config, code="1", write=write
        )
        verdict = Verdict(suite, file_sha256(SUITES / f"{suite}.json"), version.name, True, len(rows), [])
        write_atomic(
            workspace.data / "verdicts" / f"{suite}-{version.name}.json", json.dumps(asdict(verdict))
        )


@pytest.fixture(scope="session")
def template(tmp_path_factory) -> Path:
    """Made once: keys and passwords take their time by design."""
    workspace = Workspace(tmp_path_factory.mktemp("template"))
    make_data(workspace)
    with closing(open_store(workspace)) as store:
        for name, role in (("pia", "privacy"), ("ana", "admin")):
            users.add(store, name, role, PASSWORD, actor="operator:test")
    return workspace.home


@pytest.fixture
def workspace(template, tmp_path) -> Workspace:
    shutil.copytree(template, tmp_path / "home")
    return Workspace(tmp_path / "home")


class StandIn:
    """The server, and what it has seen."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, 0
        folder.mkdir()
        self.process: subprocess.Popen | None = None
        self.start()

    def start(self) -> None:
        (self.folder / "port").unlink(missing_ok=True)
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("server.py")), str(self.folder), str(self.port)],
            env={"PATH": os.environ["PATH"], "STAND_IN_KEY": KEY},
            stderr=subprocess.DEVNULL,
        )
        wait_for(lambda: (self.folder / "port").exists() and (self.folder / "port").read_text())
        self.port = int((self.folder / "port").read_text())

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()

    def control(self, **wanted: object) -> None:
        part = self.folder / "control.part"
        part.write_text(json.dumps(wanted))
        part.replace(self.folder / "control.json")

    @property
    def requests(self) -> list[str]:
        path = self.folder / "requests"
        return path.read_text().splitlines() if path.exists() else []

    def count(self, request: str) -> int:
        return self.requests.count(request)

    @property
    def book(self) -> dict:
        return json.loads((self.folder / "book.json").read_text())


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    server = StandIn(tmp_path_factory.mktemp("provider") / "stand-in")
    yield server
    server.stop()


@pytest.fixture
def stand_in(server, monkeypatch) -> StandIn:
    """It knows nothing yet."""
    monkeypatch.setenv(KEY_ENV, KEY)
    for name in ("book.json", "control.json", "requests"):
        (server.folder / name).unlink(missing_ok=True)
    shutil.rmtree(server.folder / "files", ignore_errors=True)
    return server


@pytest.fixture(scope="session")
def signed(template, server, tmp_path_factory) -> Path:
    """The home once its privacy officer has approved a job."""
    home = tmp_path_factory.mktemp("signed") / "home"
    shutil.copytree(template, home)
    sign(Workspace(home), make_settings(server.port))
    return home


@pytest.fixture
def approved(signed, tmp_path) -> Workspace:
    shutil.copytree(signed, tmp_path / "home")
    return Workspace(tmp_path / "home")


def wait_for(true, seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


def provider_settings(port: int, **changes: object) -> dict:
    return {
        "base_url": f"http://127.0.0.1:{port}/v1",
        "model": "gpt-4o-mini-2024-07-18",
        "key_env": KEY_ENV,
        "region": "here",
        "zone": "amber",
        "price_list": "openai",
        "poll_seconds": 0.02,
        "retry_seconds": 0.02,
        "baa": {
            "reference": "contracts/17",
            "expires": (date.today() + timedelta(days=30)).isoformat(),
            "hosts": ["127.0.0.1"],
            "regions": ["here"],
        },
    } | changes


def make_settings(port: int, **changes: object) -> Settings:
    return Settings(
        base_model=f"path:{ROOT / 'examples' / 'tiny-model'}",
        training={"provider": "ours"},
        providers={"ours": provider_settings(port, **changes)},
        evaluation={"max_new_tokens": 6, "bootstrap_samples": 100, "arms": ["base", "finetuned"]},
    )


@pytest.fixture
def settings(stand_in) -> Settings:
    return make_settings(stand_in.port)


def sign(workspace: Workspace, settings: Settings, as_user: str = "pia"):
    planned = plan(workspace, settings, "ours")
    with closing(open_store(workspace)) as store:
        return policy.approve(store, planned.sending, as_user=as_user, password=PASSWORD, reason="reviewed")


def told(workspace: Workspace, settings: Settings) -> dict:
    """A job.json that tracks nothing."""
    planned = plan(workspace, settings, "ours")
    planned.folder.mkdir(parents=True, exist_ok=True)
    return {
        "home": str(workspace.home),
        "provider": "ours",
        "settings": settings.model_dump(mode="json"),
        "digest": planned.digest,
        "tracking_uri": "",
        "experiment_id": "",
    }


def train(workspace: Workspace, settings: Settings) -> dict:
    """The whole job in this process; returns its result."""
    run(told(workspace, settings))
    return json.loads((plan(workspace, settings, "ours").folder / "result.json").read_text())


class Worker:
    """The process that trains, to be killed."""

    def __init__(self, workspace: Workspace, settings: Settings) -> None:
        given = told(workspace, settings)
        self.folder = plan(workspace, settings, "ours").folder
        (self.folder / "job.json").write_text(json.dumps(given))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "preceptor.providers.worker", str(self.folder / "job.json")],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self) -> tuple[int, str]:
        _, said = self.process.communicate(timeout=60)
        return self.process.returncode, said
