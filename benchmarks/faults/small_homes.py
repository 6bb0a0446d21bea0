"""Homes of the stories of faults: small, with the same keys, so that the same notes come to the same versions in each; and what must
be the same in the end."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from multiprocessing.context import ForkProcess as Process
from pathlib import Path
from typing import Any

from benchmarks.faults.outcome import Wrong, must
from benchmarks.faults.processes import ROOT
from preceptor.release.store import open_store
from preceptor.settings import Workspace
from preceptor.vault import open_vault
from preceptor.vault.verification import verify
from preceptor.versions import MANIFEST, file_sha256

CORPUS = ROOT / "examples" / "corpus"
# Data sets must have the same name with and without a fault. Versions of a model and of its evaluation hold how long it took:
# of them the first part of the name, the weights and the scores are compared.
_SAME_NAME = ("curated", "synthetic", "sufficiency")


def warm() -> None:
    """Import what the main job needs, once for all processes that are started from here: it is most of a small run."""
    import great_expectations  # noqa: F401
    import mlflow  # noqa: F401
    import torch  # noqa: F401
    import transformers  # noqa: F401

    from pipelines import definitions, main_job

    main_job.quieten()
    assert definitions.defs


def forked(call: Callable[[], object], environment: Mapping[str, str], output: Path) -> Process:
    """Start a process that has the libraries of this one, and of its surroundings only what is given. It is the first of a
    session, so that what it starts can be ended with it; what is printed goes to `output`."""

    def begin() -> None:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with output.open("wb") as stream:
            for number in (1, 2):
                os.dup2(stream.fileno(), number)
        os.environ.clear()
        os.environ.update(environment)
        sys.exit(call())  # type: ignore[arg-type]

    process = multiprocessing.get_context("fork").Process(target=begin)
    process.start()
    return process


def ended(process: Process, output: Path, patience: float) -> tuple[int, str]:
    """Wait for it: exit code and all that it printed; it does not outlive this call."""
    process.join(patience)
    code = process.exitcode
    with suppress(ProcessLookupError):
        os.killpg(process.pid or 0, signal.SIGKILL)
    if code is None:
        raise Wrong(f"it did not end in {patience:.0f} s")
    return code, output.read_text(encoding="utf-8", errors="replace")


def end_all() -> None:
    """End what was started and is still there, as after an interrupt."""
    for process in multiprocessing.active_children():
        with suppress(ProcessLookupError):
            os.killpg(process.pid or 0, signal.SIGKILL)


def surroundings(**given: object) -> dict[str, str]:
    """The environment of this process with the settings of Preceptor that are given, and no other of them."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PRECEPTOR_", "DAGSTER_"))}
    return kept | {name: str(value) for name, value in given.items()}


def named(what: str, code: int, said: str, home: Path) -> str:
    """The line that names the full disk. Raises `Wrong` for another exit code, a traceback, or an error without the disk."""
    must("Traceback" not in said, f"{what}: a traceback: {said[-1500:]}")
    must(code == 1, f"{what}: exit code {code}: {said[-1500:]}")
    lines = [line.strip() for line in said.splitlines() if "rule disk-full" in line and str(home) in line]
    must(lines, f"{what}: it does not name the disk: {said[-1500:]}")
    return lines[-1]


class Home:
    """A home and the program that works in it."""

    def __init__(
        self, home: Path, config: Path, patience: float, more: Mapping[str, str] | None = None
    ) -> None:
        """`patience`: seconds for one command; `more`: variables of its environment."""
        self._output = config.with_name(f"{home.name}.out")
        self.workspace, self._config, self._patience, self._more = (
            Workspace(home),
            config,
            patience,
            dict(more or {}),
        )

    def start(self, *options: str) -> Process:
        """Start what `preceptor run` starts: the main job, in a process of its own that has its libraries already."""
        from pipelines.main_job import main

        given = {"HOME": self.workspace.home, "CONFIG": self._config, "PROFILE": "smoke"}
        environment = surroundings(
            **{f"PRECEPTOR_{name}": value for name, value in given.items()}, **self._more
        )
        return forked(lambda: main(["--json", *options]), environment, self._output)

    def said(self) -> str:
        """All that was printed since the last start."""
        return self._output.read_text(encoding="utf-8", errors="replace") if self._output.exists() else ""

    def ends(self, process: Process) -> tuple[int, str]:
        """Exit code and all that it printed; it does not outlive this call."""
        return ended(process, self._output, self._patience)

    def run(self, *options: str) -> str:
        """The main job to its end; what it printed."""
        code, said = self.ends(self.start(*options))
        must(code == 0, f"`preceptor run` ended with {code}: {said.strip()[-1500:]}")
        return said

    def verify(self) -> None:
        """Both records, and every version against its manifest."""
        with closing(open_vault(self.workspace)) as vault:
            problems = [f"{found.where}: {found.text}" for found in verify(vault)]
        if (self.workspace.release / "release.db").exists():
            with closing(open_store(self.workspace)) as store:
                problems += [f"{found.where}: {found.text}" for found in store.verify()]
        must(not problems, f"does not verify: {'; '.join(problems)}")
        for root in (self.workspace.data, self.workspace.models, self.workspace.reports):
            for latest in root.glob("*/latest"):
                for folder in (
                    path for path in latest.parent.iterdir() if path.is_dir() and path.name[0] != "."
                ):
                    must((folder / MANIFEST).exists(), f"{folder.relative_to(root)} is half a version")
                    for name, sha in json.loads((folder / MANIFEST).read_text())["files"].items():
                        must(
                            file_sha256(folder / name) == sha, f"{folder.name}/{name} is not what was written"
                        )


def made(workspace: Workspace) -> dict[str, Any]:
    """What must be the same: names of versions, weights, answers."""
    found: dict[str, Any] = {}
    for stage in sorted(workspace.data.glob("*/latest")):
        name = stage.parent.name
        if name in _SAME_NAME or name.startswith("deid-"):
            found[name] = stage.read_text().strip()
    model = workspace.models / "model" / (workspace.models / "model" / "latest").read_text().strip()
    found["model"] = model.name.split("-")[0]
    found["weights"] = [file_sha256(path) for path in sorted(model.glob("*.safetensors"))]
    report = workspace.reports / "evaluation"
    scores = json.loads((report / (report / "latest").read_text().strip() / "report.json").read_text())
    found["scores"] = {arm: said["tasks"] for arm, said in scores["arms"].items()}
    return found


def phrases(notes: Path) -> set[str]:
    """Five words in a row, of every line of the notes that are plain text."""
    found = set()
    for path in notes.iterdir():
        if path.suffix == ".txt":
            words = re.findall(r"\S+", path.read_text(encoding="utf-8", errors="ignore"))
            found |= {" ".join(words[n : n + 5]) for n in range(0, len(words) - 5, 5)}
    return found


def configured(folder: Path, notes: int) -> Path:
    """The configuration of a small run on some notes of the bundled corpus, which are copied to `folder`/notes."""
    (folder / "notes").mkdir()
    for path in sorted((CORPUS / "documents").iterdir())[:notes]:
        shutil.copy(path, folder / "notes" / path.name)
    config = folder / "config.json"
    config.write_text(
        json.dumps(
            {
                "corpus": str(folder / "notes"),
                "corpus_records": str(CORPUS / "records.jsonl"),
                "evaluation": {
                    "arms": ["base", "finetuned"],
                    "max_cases": 4,
                    "memorisation": {"examples": 0},
                },
                "release": {"required_approvals": 1},
            }
        )
    )
    return config
