"""A whole home in one file, taken while it is in use, and a home made of it again.

Databases go first and the files that they name after them: a version whose row came too late is only not listed, a row
whose files came too early would be a loss. The file holds what the home holds: the vault is encrypted in it, de-identified text is not.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from preceptor import __version__
from preceptor.errors import PreceptorError, UsageError
from preceptor.private_files import make_private_folder, sync_folder
from preceptor.progress import Progress, silent
from preceptor.settings import Workspace
from preceptor.vault.database import connect, transaction

MANIFEST = "MANIFEST.json"
_HOME, _DAGSTER = "home", "dagster_home"  # the folders in the file
# Logs with the file that seals their end: both are copied with writers kept out, or the end would seem cut.
_HEADS = {f"{_HOME}/vault/audit.db": "audit-head.json", f"{_HOME}/release/release.db": "head.json"}
# Of MLflow 3's schema; each may lie in the home.
_ADDRESSES = (
    ("experiments", "artifact_location"), ("runs", "artifact_uri"), ("logged_models", "artifact_location"),
    ("model_versions", "source"), ("model_versions", "storage_location"),
)  # fmt: skip
_SQLITE = b"SQLite format 3\0"
_PASSING = (
    ".part",
    "-wal",
    "-shm",
    "-journal",
    ".lock",
)  # belong to a process, or are in the database's copy
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Saved:
    """What a backup has: number of files, their bytes, and whether the keys are in it."""

    files: int
    bytes: int
    keys: bool


def back_up(workspace: Workspace, to: Path, with_keys: bool = False, on_progress: Progress = silent) -> Saved:
    """Write the home into `to`, a tar file that only its owner may read; it is whole or absent.

    Without `with_keys` the folder keys/ is left out: a backup that holds its own key protects nothing. Raises `UsageError` where
    there is no home, or `to` is there already.
    """
    if not workspace.vault.exists():
        raise UsageError(f"There is no home at {workspace.home}: nothing to back up.")
    if to.exists():
        raise UsageError(f"{to} is there already. Name another file: a backup is never written over.")
    if to.resolve().is_relative_to(workspace.home):
        raise UsageError(f"{to} lies in the home itself. Name a place outside it.")
    names: dict[str, dict[str, Any]] = {}
    part = to.with_name(f".{to.name}.part")
    with tempfile.TemporaryDirectory(dir=to.parent, prefix=f".{to.name}.") as scratch:
        try:
            with part.open("xb") as stream, tarfile.open(fileobj=stream, mode="w|") as tar:
                part.chmod(0o600)
                files = list(_ordered(workspace, with_keys))
                for done, (path, name) in enumerate(files):
                    if head := _HEADS.get(name):
                        # One lock at a time: whoever holds another database may be waiting for this one.
                        with _writers_kept_out(path):
                            _add(tar, path, name, names, Path(scratch))
                            _add(
                                tar,
                                path.parent / head,
                                f"{PurePosixPath(name).parent}/{head}",
                                names,
                                Path(scratch),
                            )
                    else:
                        _add(tar, path, name, names, Path(scratch))
                    on_progress(done + 1, len(files))
                about = json.dumps(
                    {
                        "preceptor": __version__,
                        "home": workspace.home.as_uri(),
                        "keys": with_keys,
                        "files": names,
                    }
                ).encode()
                _add_stream(tar, MANIFEST, io.BytesIO(about), len(about), {})
            with part.open("rb") as written:
                os.fsync(written.fileno())
            part.rename(to)
            sync_folder(to.parent)
        finally:
            part.unlink(missing_ok=True)
    return Saved(len(names), sum(entry["bytes"] for entry in names.values()), with_keys)


def restore(file: Path, workspace: Workspace, on_progress: Progress = silent) -> Saved:
    """Make the home of `workspace` from a backup. Every file is checked before anything is put in its place.

    Raises `UsageError` where there is a home already, `PreceptorError` for a file that is no backup, is cut or was changed.
    """
    if workspace.home.exists() and any(workspace.home.iterdir()):
        raise UsageError(
            f"{workspace.home} is not empty. Name a new home with --home: nothing is written over."
        )
    workspace.home.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(dir=workspace.home.parent, prefix=f".{workspace.home.name}.restoring-"))
    try:
        about = _unpacked(file, part, on_progress)
        if (part / _DAGSTER).exists():  # it stood beside the home
            _put_beside(part / _DAGSTER, workspace.dagster_home)
        _point_at(part / _HOME / "mlflow" / "mlflow.db", str(about["home"]), workspace.home.as_uri())
        if workspace.home.exists():
            workspace.home.rmdir()
        (part / _HOME).rename(workspace.home)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    sync_folder(workspace.home.parent)
    entries = about["files"].values()
    return Saved(len(entries), sum(entry["bytes"] for entry in entries), about["keys"])


def _ordered(workspace: Workspace, with_keys: bool) -> Iterator[tuple[Path, str]]:
    """Every file with its name in the backup: the vault, the sealed logs (without their heads), other databases, the rest."""
    found = [
        (path, f"{_HOME}/{path.relative_to(workspace.home).as_posix()}") for path in _files(workspace.home)
    ]
    if not with_keys:
        found = [(p, n) for p, n in found if not p.is_relative_to(workspace.keys)]
    beside = workspace.dagster_home
    if not beside.is_relative_to(workspace.home) and beside.exists():
        found += [(path, f"{_DAGSTER}/{path.relative_to(beside).as_posix()}") for path in _files(beside)]

    heads = {f"{PurePosixPath(name).parent}/{head}" for name, head in _HEADS.items()}

    def place(item: tuple[Path, str]) -> tuple[int, str]:
        path, name = item
        # The vault before its log: what is in it is then in the log, too.
        return (
            0
            if name == f"{_HOME}/vault/vault.db"
            else 1
            if name in _HEADS
            else 2
            if _is_database(path)
            else 3
        ), name

    yield from sorted((item for item in found if item[1] not in heads), key=place)


def _files(root: Path) -> Iterator[Path]:
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink() and not path.name.endswith(_PASSING):
            yield path


def _is_database(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(len(_SQLITE)) == _SQLITE
    except FileNotFoundError:
        return False


@contextmanager
def _writers_kept_out(path: Path) -> Iterator[None]:
    """Hold a database's write lock for as long as the body takes; readers go on."""
    with closing(connect(path)) as db, transaction(db):
        yield


def _add(tar: tarfile.TarFile, path: Path, name: str, names: dict[str, Any], scratch: Path) -> None:
    copy = path
    try:
        if _is_database(path):
            copy = scratch / "copy.db"
            copy.unlink(missing_ok=True)
            with (
                closing(sqlite3.connect(f"file:{path}?mode=rw", uri=True)) as source,
                closing(sqlite3.connect(copy)) as out,
            ):
                source.backup(out)
        with copy.open("rb") as stream:
            _add_stream(tar, name, stream, copy.stat().st_size, names)
    except FileNotFoundError:  # erased, or replaced by a newer version, while we were at work
        return


def _add_stream(tar: tarfile.TarFile, name: str, stream: IO[bytes], size: int, names: dict[str, Any]) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = size, 0o600
    hashing = _Hashing(stream)
    tar.addfile(entry, hashing)
    names[name] = {"sha256": hashing.digest.hexdigest(), "bytes": size}


class _Hashing:
    """A stream that hashes what is read of it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self.digest = stream, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        piece = self._stream.read(size)
        self.digest.update(piece)
        return piece


def _unpacked(file: Path, to: Path, on_progress: Progress) -> dict[str, Any]:
    """Unpack a backup and return its manifest; what it says of each file has been checked."""
    found: dict[str, dict[str, Any]] = {}
    about: dict[str, Any] | None = None
    try:
        with tarfile.open(file, mode="r|") as tar:
            for member in tar:
                stream = tar.extractfile(member)
                if stream is None:
                    raise _not_ours(file, "it holds something that is no file")
                if member.name == MANIFEST:
                    about = json.loads(stream.read())
                    continue
                found[member.name] = _unpack(stream, _inside(to, member.name, file))
                on_progress(len(found), 0)
    except (tarfile.TarError, EOFError, ValueError):
        raise _not_ours(file, "it is damaged or cut") from None
    if about is None or not isinstance(about.get("files"), dict):
        raise _not_ours(file, "its end is missing")
    wrong = sorted(
        name for name in about["files"].keys() | found.keys() if about["files"].get(name) != found.get(name)
    )
    if wrong:
        raise _not_ours(file, f"{wrong[0]} in it is not what was saved ({len(wrong)} files differ)")
    return about


def _unpack(stream: IO[bytes], path: Path) -> dict[str, Any]:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    hashing, size = _Hashing(stream), 0
    with path.open("xb") as out:
        path.chmod(0o600)
        while piece := hashing.read(_PIECE):
            out.write(piece)
            size += len(piece)
    return {"sha256": hashing.digest.hexdigest(), "bytes": size}


def _inside(to: Path, name: str, file: Path) -> Path:
    parts = PurePosixPath(name).parts
    if not parts or parts[0] not in (_HOME, _DAGSTER) or ".." in parts or len(parts) < 2:
        raise _not_ours(file, "it names a place outside the home")
    return to.joinpath(*parts)


def _point_at(registry: Path, before: str, now: str) -> None:
    """MLflow keeps the addresses of artifacts whole; those in the old home become those in the new one."""
    if before == now or not registry.exists():
        return
    with closing(sqlite3.connect(registry)) as db, db:
        for table, column in _ADDRESSES:
            db.execute(
                f"UPDATE {table} SET {column} = :now || substr({column}, :length + 1) "  # noqa: S608 - names of ours
                f"WHERE substr({column}, 1, :length) = :before || '/'",
                {"now": now + "/", "before": before, "length": len(before) + 1},
            )


def _put_beside(source: Path, target: Path) -> None:
    """Dagster's own records, where a new home of another place keeps them. What is there already stays."""
    make_private_folder(target)
    for path in source.iterdir():
        if not (target / path.name).exists():
            path.rename(target / path.name)


def _not_ours(file: Path, what: str) -> PreceptorError:
    return PreceptorError(
        f"{file} cannot be restored: {what} (rule backup-file). Nothing was written. Take another backup."
    )
