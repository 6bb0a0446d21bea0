"""Versions of data: folders that are whole or absent, named by what made them and what is in them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from preceptor.errors import PreceptorError

MANIFEST = "manifest.json"
_UNFINISHED = ".part"


@dataclass(frozen=True, slots=True)
class DatasetVersion:
    """A finished version: `path` holds its files and a manifest; `reused` says that nothing had to be done."""

    stage: str
    name: str
    path: Path
    manifest: dict[str, Any]
    reused: bool = False

    @property
    def facts(self) -> dict[str, Any]:
        """The counts and measures its maker reported."""
        return self.manifest["facts"]


def digest(value: Any) -> str:
    """SHA-256 in hex of a JSON-able value, independent of the order of keys."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 in hex of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def checkout_commit() -> str | None:
    """The commit of this checkout; None where there is no git, as in an image built from a release."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def write_atomic(path: Path, data: str | bytes) -> None:
    """Replace a file whole: written beside it, flushed to disk, renamed. A kill leaves the old or the new; what cannot be
    written, as on a full disk, leaves the old and nothing beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        with beside.open("wb") as stream:
            stream.write(data.encode() if isinstance(data, str) else data)
            stream.flush()
            os.fsync(stream.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def make_version(
    root: Path,
    stage: str,
    *,
    inputs: Mapping[str, str],
    config: Any,
    code: str,
    write: Callable[[Path], dict[str, Any]],
    resume: bool = False,
) -> DatasetVersion:
    """Return the version of `stage` made from `inputs`, `config` and `code`, doing the work only if it is new.

    The name is `<hash of what made it>-<hash of content>`, 12 and 8 hex digits. `write` gets an empty folder, puts
    files into it and returns facts (JSON-able). The folder is renamed into place at the end, and `latest` points to
    it; killed before that, a partial folder is left that the next call removes, or with `resume` hands to `write`.
    """
    found = find_version(root, stage, inputs=inputs, config=config, code=code)
    if found:
        return found
    folder = root / stage
    made_from = _made_from(stage, inputs, config, code)
    key = key_of(made_from)
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f".{key}{_UNFINISHED}"
    if part.exists() and not resume:
        shutil.rmtree(part)
    part.mkdir(exist_ok=True)
    facts = write(part)
    files = {str(p.relative_to(part)): file_sha256(p) for p in sorted(part.rglob("*")) if p.is_file()}
    name = f"{key}-{content_digest(files)}"
    manifest = {**made_from, "name": name, "files": files, "facts": facts}
    write_atomic(part / MANIFEST, json.dumps(manifest, indent=1, ensure_ascii=False))
    part.rename(folder / name)
    _point_latest(folder, name)
    return DatasetVersion(stage, name, folder / name, manifest)


def find_version(
    root: Path, stage: str, *, inputs: Mapping[str, str], config: Any, code: str
) -> DatasetVersion | None:
    """Return the finished version that these would make, and let `latest` point to it; None if it is not there."""
    folder = root / stage
    key = key_of(_made_from(stage, inputs, config, code))
    for found in sorted(folder.glob(f"{key}-*")):
        if (found / MANIFEST).exists():
            _point_latest(folder, found.name)
            return DatasetVersion(stage, found.name, found, _manifest(found), reused=True)
    return None


def discard_unfinished(root: Path) -> None:
    """Remove what killed runs have left half made in every stage."""
    for part in root.glob(f"*/.*{_UNFINISHED}"):
        if part.is_dir():
            shutil.rmtree(part)


def key_of(made_from: Mapping[str, Any]) -> str:
    """The first part of a version's name, from what made it; a manifest says that too."""
    return digest({part: made_from[part] for part in ("stage", "inputs", "config", "code")})[:12]


def content_digest(files: Mapping[str, str]) -> str:
    """The second part of a version's name, from path and SHA-256 of its files."""
    return digest(dict(files))[:8]


def take_in(root: Path, stage: str, part: Path, name: str, newest: bool) -> DatasetVersion:
    """Put a folder that holds a whole version, made in another home, into place. With `newest` it is `latest` where there
    is none."""
    folder = root / stage
    part.rename(folder / name)
    if newest and not (folder / "latest").exists():
        _point_latest(folder, name)
    return load(root, stage, name)


def _made_from(stage: str, inputs: Mapping[str, str], config: Any, code: str) -> dict[str, Any]:
    return {"stage": stage, "inputs": dict(inputs), "config": config, "code": code}


def latest(root: Path, stage: str) -> DatasetVersion | None:
    """Return the version of `stage` that was made or confirmed last, or None if there is none."""
    pointer = root / stage / "latest"
    if not pointer.exists():
        return None
    return load(root, stage, pointer.read_text().strip())


def newest(root: Path, stage: str) -> DatasetVersion:
    """The same as `latest`, where there must be one. Raises `PreceptorError` if there is none."""
    found = latest(root, stage)
    if found is None:
        raise PreceptorError(f"There is no version of {stage} yet: `preceptor run` makes one.")
    return found


def load(root: Path, stage: str, name: str) -> DatasetVersion:
    """Return one version by name. Raises FileNotFoundError if it is not there."""
    path = root / stage / name
    return DatasetVersion(stage, name, path, _manifest(path), reused=True)


def _manifest(path: Path) -> dict[str, Any]:
    return json.loads((path / MANIFEST).read_text(encoding="utf-8"))


def _point_latest(folder: Path, name: str) -> None:
    pointer = folder / "latest"
    if not pointer.exists() or pointer.read_text().strip() != name:
        write_atomic(pointer, name + "\n")
