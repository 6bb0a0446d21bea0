"""Checkpoints that count only when they are whole.

The trainer writes a checkpoint file by file; killed in between, one without an optimizer resumes silently from a
fresh one and goes another way. So a checkpoint counts only with our marker: written last, after a flush to disk,
holding the size and checksum of every other file and a digest of what is being trained.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import xxhash

from preceptor.versions import write_atomic

MARKER = "preceptor-complete.json"


def seal_checkpoint(folder: Path, job_digest: str, processes: int = 1, batch: int = 1) -> None:
    """Mark a checkpoint folder as whole; so many processes wrote it, and a step was of so many packs."""
    files = {}
    for file in sorted(p for p in folder.rglob("*") if p.is_file() and p.name != MARKER):
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
        files[str(file.relative_to(folder))] = _fingerprint(file)
    write_atomic(
        folder / MARKER,
        json.dumps({"job": job_digest, "processes": processes, "batch": batch, "files": files}),
    )


def last_checkpoint(folder: Path, job_digest: str) -> Path | None:
    """Return the newest whole checkpoint of this job to go on from, removing later ones that are not whole, or of the last
    step: from there the trainer would take one step too many. None if none is.

    Several processes may ask at once, and each removes: what another takes away while it is read is not whole.
    """
    steps = sorted(
        (p for p in folder.glob("checkpoint-*") if p.name.removeprefix("checkpoint-").isdigit()),
        key=lambda p: int(p.name.removeprefix("checkpoint-")),
    )
    for checkpoint in reversed(steps):
        if _is_whole(checkpoint, job_digest) and not _is_last(checkpoint):
            return checkpoint
        shutil.rmtree(checkpoint, ignore_errors=True)
    return None


def written_by(checkpoint: Path) -> tuple[int, int]:
    """How many processes wrote a whole checkpoint, and of how many packs a step was."""
    marker = json.loads((checkpoint / MARKER).read_text())
    return marker["processes"], marker["batch"]


def _is_whole(checkpoint: Path, job_digest: str) -> bool:
    try:
        marker = json.loads((checkpoint / MARKER).read_text())
    except (OSError, json.JSONDecodeError):
        return False
    if marker["job"] != job_digest:
        return False
    try:
        return all(_fingerprint(checkpoint / name) == found for name, found in marker["files"].items())
    except OSError:
        return False


def _is_last(checkpoint: Path) -> bool:
    try:
        state = json.loads((checkpoint / "trainer_state.json").read_text())
    except OSError:
        return True  # another process is just removing it
    return 0 < state.get("max_steps", 0) <= state.get("global_step", 0)


def _fingerprint(file: Path) -> list[str | int]:
    """Size and checksum: a disk that fails, or is full, also leaves files of the right length."""
    found = xxhash.xxh3_128()
    with file.open("rb") as stream:
        while part := stream.read(1 << 24):
            found.update(part)
    return [file.stat().st_size, found.hexdigest()]
