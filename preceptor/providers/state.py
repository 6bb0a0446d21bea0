"""How far a job with a provider has come: `state.json` in its folder, so that a killed run goes on with the same job.

Ids, counts and numbers; no text of an example, no key.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from preceptor.errors import UsageError
from preceptor.settings import Workspace
from preceptor.versions import write_atomic

STATE, PREFIX = "state.json", "provider-"
SUCCEEDED, ENDS = "succeeded", ("succeeded", "failed", "cancelled")


@dataclass(slots=True)
class State:
    """`approval` is the number of the signed event; `files` are the provider's ids; `job` is the provider's own name for it,
    None before it was created. `ended` are earlier jobs that failed or were cancelled. `history` has losses by step."""

    provider: str
    endpoint: str
    model: str
    suffix: str
    approval: int | None = None
    files: dict[str, str] = field(default_factory=dict)
    job: str | None = None
    status: str = "new"
    error: str | None = None
    fine_tuned_model: str | None = None
    trained_tokens: int | None = None
    ended: list[dict[str, Any]] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    run_id: str | None = None

    def keep(self, folder: Path) -> None:
        """Write it down whole."""
        write_atomic(folder / STATE, json.dumps(asdict(self), indent=1))

    def begin_anew(self) -> None:
        """Set a job that failed or was cancelled aside."""
        self.ended.append({"job": self.job, "status": self.status, "approval": self.approval})
        self.job, self.status, self.error, self.approval = None, "new", None, None
        self.files, self.history = {}, []

    @property
    def used(self) -> frozenset[int]:
        """The approvals whose job has failed or was cancelled."""
        spent = [self.approval] if self.status in ENDS[1:] and self.approval is not None else []
        return frozenset([*(entry["approval"] for entry in self.ended), *spent])


def load(folder: Path) -> State | None:
    """What was kept; None before anything was."""
    path = folder / STATE
    return State(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None


def all_jobs(workspace: Workspace) -> list[tuple[Path, State]]:
    """Every job of a home with a provider, and its folder, those first whose folder is older."""
    folders = sorted(workspace.training.glob(f"{PREFIX}*"), key=lambda folder: folder.stat().st_mtime)
    return [(folder, state) for folder in folders if (state := load(folder)) is not None]


def job_named(workspace: Workspace, job: str) -> tuple[Path, State]:
    """The folder and state of a provider's job. Raises `UsageError` if this home has none of that name."""
    for folder, state in all_jobs(workspace):
        if state.job == job:
            return folder, state
    raise UsageError(
        f"This home has no job {job!r} with a provider; `preceptor providers jobs` shows those it has."
    )
