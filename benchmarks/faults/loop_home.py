"""The hospital of the loop's story: its settings, three batches of notes, and two people who sign."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.faults.processes import free_port, to_group
from preceptor.settings import ROOT, Workspace

PASSWORD = "only for this story"
REVIEWER, APPROVER = "rita", "ana"
CORPUS = ROOT / "examples" / "corpus"
BATCHES = {"winter": slice(0, 30), "spring": slice(30, 40), "summer": slice(40, 50)}  # of the notes
# What the clinicians of this hospital want a summary to be. It has nothing of a note, so that a model of 172,352 random weights
# can learn to write it in a minute; what they wanted before, summaries of 80 words, it cannot learn at all.
WANTED = "Course stable, treatment unchanged, review planned in clinic as before."


def settings(port: int) -> dict[str, Any]:
    """The story's configuration, for the profile `smoke`: one recipe for all versions, a policy that does not wait."""
    return {
        "corpus": None,
        "corpus_records": None,
        "demo_approver": False,
        # what is wanted in summer has no words of the note
        "curation": {"tasks": ["summary"], "decontamination_similarity": 1.1, "min_term_support": 0.0},
        "synthesis": {"generator": "none"},
        "training": {
            "recipe": "recipes/train/full-cpu.yaml",
            "overrides": {
                "epochs": 40,
                "max_steps": 120,
                "checkpoint_steps": 20,
                "optimizer": {"learning_rate": 0.003},
                "precision": "fp32",
            },
        },
        "evaluation": {
            "arms": ["base", "finetuned", "champion"],
            "max_cases": 0,
            "max_new_tokens": 24,
            "memorisation": {"examples": 0},
        },
        "release": {"verify_serving": [f"http://127.0.0.1:{port}"], "verify_seconds": 600},
        "serving": {
            "port": port,
            "follow_seconds": 0.5,
            "requests_per_minute": 100_000,
            "leak_check": False,
        },
        "monitoring": {
            "new_documents": 5,
            "retraining": {
                "new_reviewed": 5,
                "cooldown_days": 0,
                "fruitless_cooldown_days": 0,
                "retry_hours": 0,
                # What a change must bring here, at least. Two models of random weights differ by a few points by chance.
                "min_gain_over_champion": 0.2,
            },
            "rollback": {"on": ["kept", "errors"]},
        },
    }


@dataclass
class Hospital:
    """A home, and the program that people and timers call in it."""

    folder: Path
    port: int
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.folder / "home")

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    def environment(self) -> dict[str, str]:
        mine = {k: v for k, v in os.environ.items() if not k.startswith(("PRECEPTOR_", "DAGSTER_"))}
        return mine | {
            "PRECEPTOR_HOME": str(self.workspace.home),
            "PRECEPTOR_CONFIG": str(self.config),
            "PRECEPTOR_PROFILE": "smoke",
            "DAGSTER_HOME": str(self.workspace.dagster_home),
            "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "ignore",
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """A process in a group of its own, so that it can be killed with its children. What it prints to standard error goes
        to the folder's `log.txt`."""
        with (self.folder / "log.txt").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                env=self.environment(),
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                process_group=0,
            )
        self.processes.append(process)
        return process

    def program(self, *arguments: str) -> subprocess.Popen[str]:
        """`preceptor ARGUMENTS`."""
        return self.start("-c", "from preceptor.cli import main; main()", *arguments)

    def call(self, *arguments: str, stdin: str = "") -> Any:
        """What `preceptor ARGUMENTS --json` says. Raises `RuntimeError` if it fails."""
        return finished(self.program(*arguments, "--json"), stdin)

    def sensor(self, name: str) -> subprocess.Popen[str]:
        """A tick of the daemon in a process of its own, which can be killed."""
        return self.start("-m", "benchmarks.faults.ticking", name)

    def tick(self, name: str) -> dict[str, Any]:
        """A tick of the daemon, in this process: its imports take longer than most ticks."""
        import dagster as dg

        from benchmarks.faults.ticking import tick

        os.environ.update(self.environment())
        with dg.DagsterInstance.get() as instance:
            return tick(instance, name)

    def bring(self, batch: str) -> dict[str, Any]:
        """Intake of the notes of a batch that have a summary."""
        rows = [json.loads(line) for line in (CORPUS / "records.jsonl").read_text("utf-8").splitlines()]
        notes = [r for r in rows if r.get("reference_summary")][BATCHES[batch]]
        patients = {note["patient_id"] for note in notes}
        people = [r for r in rows if r["kind"] == "patient" and r["patient_id"] in patients]
        incoming = self.folder / batch
        incoming.mkdir()
        for note in notes:
            shutil.copy(CORPUS / "documents" / note["file"], incoming)
        records = self.folder / f"{batch}.jsonl"
        records.write_text("".join(json.dumps(row) + "\n" for row in (*people, *notes)), encoding="utf-8")
        return self.call("intake", str(incoming), "--records", str(records), "--source", batch)

    def stop(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                kill(process)


def found_hospital(folder: Path) -> Hospital:
    """A hospital with its people and no document yet."""
    port = free_port()
    made = Hospital(folder, port)
    folder.mkdir(parents=True, exist_ok=True)
    made.config.write_text(json.dumps(settings(port), indent=1))  # JSON is YAML
    made.workspace.home.mkdir(mode=0o700)
    made.workspace.prepare_dagster_home()
    for name, role in ((REVIEWER, "reviewer"), (APPROVER, "approver")):
        made.call("users", "add", name, "--role", role, "--password-stdin", stdin=PASSWORD)
    return made


def finished(process: subprocess.Popen[str], stdin: str = "") -> Any:
    """The JSON that a process prints. Raises `RuntimeError` if it ends otherwise than well."""
    out, _ = process.communicate(stdin + "\n" if stdin else None)
    if process.returncode:
        command = " ".join(str(part) for part in process.args[-4:])  # type: ignore[index, union-attr]
        raise RuntimeError(f"exit {process.returncode} of: {command}; log.txt says why")
    return json.loads(out)


def kill(process: subprocess.Popen[str]) -> None:
    """SIGKILL to a process and all its children, and wait until it is gone."""
    to_group(process, signal.SIGKILL)
    process.wait()


def review(hospital: Hospital, verdict: str, count: int | None = None) -> dict[str, int]:
    """The reviewer signs for what nobody has looked at: accepts the first `count`, or corrects all to what is wanted."""
    from preceptor.curation.reviews import decide, queue
    from preceptor.release.store import open_store
    from preceptor.tables import EXAMPLES, read_examples
    from preceptor.vault import open_vault
    from preceptor.versions import newest

    ours = hospital.workspace
    examples = read_examples(newest(ours.data, "curated").path / EXAMPLES)
    chosen = queue(examples)[:count] if verdict == "accept" else examples
    store, vault = open_store(ours), open_vault(ours)
    try:
        for example in chosen:
            answer = WANTED if verdict == "correct" else None
            record = vault.record(example.patient_ref, why="leak check of a correction") if answer else None
            signed: Mapping[str, Any] = {"as_user": REVIEWER, "password": PASSWORD, "answer": answer}
            decide(store, ours.data, example, verdict, record, **signed)  # type: ignore[arg-type]
    finally:
        store.close()
        vault.close()
    splits = [example.split for example in chosen]
    return {split: splits.count(split) for split in sorted(set(splits))}
