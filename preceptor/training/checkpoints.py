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


def seal_checkpoint(folder: Path, job_digest: str) -> None:
    """Mark a checkpoint folder as whole."""
    files = {}
    for file in sorted(p for p in folder.rglob("*") if p.is_file() and p.name != MARKER):
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
        files[str(file.relative_to(folder))] = _fingerprint(file)
    write_atomic(folder / MARKER, json.dumps({"job": job_digest, "files": files}))


def last_checkpoint(folder: Path, job_digest: str) -> Path | None:
    """Return the newest whole checkpoint of this job to go on from, removing later ones that are not whole, or of the last
    step: from there the trainer would take one step too many. None if none is.
    """
    steps = sorted(
        (p for p in folder.glob("checkpoint-*") if p.name.removeprefix("checkpoint-").isdigit()),
        key=lambda p: int(p.name.removeprefix("checkpoint-")),
    )
    for checkpoint in reversed(steps):
        if _is_whole(checkpoint, job_digest) and not _is_last(checkpoint):
            return checkpoint
        shutil.rmtree(checkpoint)
    return None


def _is_whole(checkpoint: Path, job_digest: str) -> bool:
    try:
        marker = json.loads((checkpoint / MARKER).read_text())
    except (OSError, json.JSONDecodeError):
        return False
    if marker["job"] != job_digest:
        return False
    files = {name: checkpoint / name for name in marker["files"]}
    return all(f.is_file() and _fingerprint(f) == marker["files"][name] for name, f in files.items())


def _is_last(checkpoint: Path) -> bool:
    file = checkpoint / "trainer_state.json"
    state = json.loads(file.read_text()) if file.exists() else {}
    return 0 < state.get("max_steps", 0) <= state.get("global_step", 0)


def _fingerprint(file: Path) -> list[str | int]:
    """Size and checksum: a disk that fails, or is full, also leaves files of the right length."""
    found = xxhash.xxh3_128()
    with file.open("rb") as stream:
        while part := stream.read(1 << 24):
            found.update(part)
    return [file.stat().st_size, found.hexdigest()]
