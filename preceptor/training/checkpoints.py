"""Checkpoints that count only when they are whole.

The trainer writes a checkpoint file by file; killed in between, one without an optimizer resumes silently from a
fresh one and goes another way. So a checkpoint counts only with our marker: written last, after a flush to disk,
holding the size of every other file and a digest of what is being trained.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from preceptor.versions import write_atomic

MARKER = "preceptor-complete.json"


def seal_checkpoint(folder: Path, job_digest: str) -> None:
    """Mark a checkpoint folder as whole."""
    sizes = {}
    for file in sorted(p for p in folder.rglob("*") if p.is_file() and p.name != MARKER):
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
        sizes[str(file.relative_to(folder))] = file.stat().st_size
    write_atomic(folder / MARKER, json.dumps({"job": job_digest, "sizes": sizes}))


def last_checkpoint(folder: Path, job_digest: str) -> Path | None:
    """Return the newest whole checkpoint of this job, removing later ones that are not whole; None if none is."""
    steps = sorted(
        (p for p in folder.glob("checkpoint-*") if p.name.removeprefix("checkpoint-").isdigit()),
        key=lambda p: int(p.name.removeprefix("checkpoint-")),
    )
    for checkpoint in reversed(steps):
        if _is_whole(checkpoint, job_digest):
            return checkpoint
        shutil.rmtree(checkpoint)
    return None


def _is_whole(checkpoint: Path, job_digest: str) -> bool:
    try:
        marker = json.loads((checkpoint / MARKER).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return False
    if marker["job"] != job_digest:
        return False
    return all(
        (checkpoint / name).is_file() and (checkpoint / name).stat().st_size == size
        for name, size in marker["sizes"].items()
    )
