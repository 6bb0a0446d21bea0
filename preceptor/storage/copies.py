"""Copies of versions in an object store: put, fetched, listed.

    PREFIX/data/curated/NAME/manifest.json     what the version is, sealed; written last, so that without it there is no version
    PREFIX/data/curated/NAME/<SHA-256>         a file of it, under the name of its content
    PREFIX/data/curated/latest                 the name of the version that was made or confirmed last

Since a file's name says what is in it, one that is there with its size is not sent again, and the files of a version from which
a patient was erased stand beside the old ones until the new manifest is written, and the old ones are removed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from preceptor.storage.errors import ChangedCopy
from preceptor.storage.objects import Objects
from preceptor.versions import MANIFEST, DatasetVersion, content_digest, file_sha256, key_of

LATEST = "latest"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Copy:
    """A version in the store: `root` is the folder of the home that it belongs to (data, models, reports)."""

    root: str
    stage: str
    name: str

    @property
    def key(self) -> str:
        return f"{self.root}/{self.stage}/{self.name}"


@dataclass(frozen=True, slots=True)
class Sent:
    """What was sent of a version; nothing where the store had all of it."""

    files: int = 0
    bytes: int = 0


def put(
    objects: Objects, copy: Copy, version: DatasetVersion, there: dict[str, Any] | None, check: bool = False
) -> Sent:
    """Make the store's copy, whose manifest is `there`, what the home's version is. With `check` the files that are there are read
    again, and sent anew if they were changed.

    Raises `ChangedCopy` for a file of the home that is not what its manifest says, and where the store's copy is of other
    content: then a patient was erased there who was not here, or the other way round.
    """
    mine = version.manifest
    if there and there["files"] != mine["files"]:
        if _erasures(there) >= _erasures(mine):
            raise ChangedCopy(
                f"{copy.key} in {objects.name} is not the one of this home (rule storage-erasure): a patient was erased from it "
                "elsewhere. Nothing was sent. Erase the patient here too (`preceptor forget`), or remove this home's version."
            )
    files = bytes_ = 0
    sizes = objects.children(copy.key)
    for path, sha in sorted(mine["files"].items()):
        source, key = version.path / path, f"{copy.key}/{sha}"
        size = source.stat().st_size if source.is_file() else None
        if size is not None and sizes.get(sha) == size and (not check or objects.sha256(key) == sha):
            continue
        if size is None or file_sha256(source) != sha:
            raise ChangedCopy(
                f"{version.path}: {path} is not what its manifest says (rule digest), so the version is not sent. Restore it from "
                "a backup or the store, or remove the version and run again."
            )
        objects.send(key, source)
        sizes[sha] = size
        files, bytes_ = files + 1, bytes_ + size
    if there is None or there["files"] != mine["files"]:
        objects.write_sealed(f"{copy.key}/{MANIFEST}", json.dumps(mine, indent=1, ensure_ascii=False))
    wanted = {MANIFEST, *mine["files"].values()}
    for name in sizes.keys() - wanted:  # of before an erasure, or of a sending that was killed
        objects.remove(f"{copy.key}/{name}")
    return Sent(files, bytes_)


def fetch(objects: Objects, copy: Copy, manifest: dict[str, Any], part: Path) -> None:
    """Write a version's files and manifest into the folder `part`; those that an earlier, killed call left whole stay.

    Raises `ChangedCopy`, naming file and rule, for one whose bytes are not those that the manifest names.
    """
    part.mkdir(parents=True, exist_ok=True)
    for path in [p for p in part.rglob("*") if p.is_file()]:
        if path.relative_to(part).as_posix() not in manifest["files"]:
            path.unlink()  # of before an erasure
    for name, sha in sorted(manifest["files"].items()):
        path = part / name
        if path.is_file() and file_sha256(path) == sha:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        found = objects.receive(f"{copy.key}/{sha}", path)
        if found != sha:
            path.unlink(missing_ok=True)
            raise ChangedCopy(
                f"{copy.key} in {objects.name}: {name} {'is missing' if found is None else 'was changed'} (rule storage-digest). "
                "Nothing of it was taken. A home that has the version mends it with `preceptor storage push --check`."
            )
    (part / MANIFEST).write_text(json.dumps(manifest, indent=1, ensure_ascii=False), encoding="utf-8")


def manifest_of(objects: Objects, copy: Copy) -> dict[str, Any] | None:
    """The manifest of a version in the store; None if it is not there.

    Raises `ChangedCopy` where its seal is broken, it is not the manifest of this version, or it names places outside its folder.
    """
    text = objects.read_sealed(f"{copy.key}/{MANIFEST}") if _is_name(copy.name) else None
    if text is None:
        return None
    try:
        manifest = json.loads(text)
        mine = (manifest["stage"], manifest["name"]) == (copy.stage, copy.name)
        key, _, content = copy.name.partition("-")
        whole = (
            mine
            and key == key_of(manifest)
            and (_erasures(manifest) > 0 or content == content_digest(manifest["files"]))
            and all(_is_inside(name) and _SHA256.fullmatch(sha) for name, sha in manifest["files"].items())
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise ChangedCopy(
            f"{copy.key} in {objects.name}: its {MANIFEST} is not of this version (rule storage-manifest). Nothing of it was taken. A home "
            "that has the version writes it again with `preceptor storage push --check`."
        )
    return manifest


def stages(objects: Objects, root: str) -> list[str]:
    """The stages of which the store holds anything."""
    return sorted(name for name, size in objects.children(root).items() if size is None and _is_name(name))


def copies(objects: Objects, root: str, stage: str) -> Iterator[Copy]:
    """The versions of a stage that are whole in the store, by name."""
    for name, size in sorted(objects.children(f"{root}/{stage}").items()):
        copy = Copy(root, stage, name)
        if size is None and _is_name(name) and objects.size(f"{copy.key}/{MANIFEST}") is not None:
            yield copy


def newest(objects: Objects, root: str, stage: str) -> Copy | None:
    """The version of a stage that a home made or confirmed last; None if there is none."""
    name = (objects.read(f"{root}/{stage}/{LATEST}") or b"").decode("utf-8", "replace").strip()
    return Copy(root, stage, name) if _is_name(name) else None


def point_newest(objects: Objects, copy: Copy) -> None:
    """Let `latest` name this version."""
    if newest(objects, copy.root, copy.stage) != copy:
        objects.write(f"{copy.root}/{copy.stage}/{LATEST}", f"{copy.name}\n".encode())


def _erasures(manifest: dict[str, Any]) -> int:
    return int(manifest.get("erasures", 0))


def _is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def _is_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and name != MANIFEST
