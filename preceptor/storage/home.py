"""A home and its object store: what is kept of it, sending what is missing there, fetching what is missing here."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from preceptor.dropping import drop_cases, drop_rows, holds_any
from preceptor.errors import UsageError
from preceptor.keys import KEYRING, storage_key
from preceptor.locks import exclusive
from preceptor.quality.gate import known_verdict
from preceptor.settings import Settings, Workspace
from preceptor.storage import copies
from preceptor.storage.copies import Copy
from preceptor.storage.errors import ChangedCopy, StorageError
from preceptor.storage.objects import Objects, open_objects
from preceptor.versions import MANIFEST, load, take_in, write_atomic

# What is kept, by folder of the home, and the gate that it must have passed first. What is not named here never leaves:
# the tagger learnt from raw notes, and a version that no gate has judged may hold what de-identification missed.
KEPT: dict[str, dict[str, str | None]] = {
    "data": {
        "deid-*": "deidentified_documents",
        "curated": "curated_examples",
        "synthetic": "synthetic_examples",
        "sufficiency": None,
    },
    "models": {"model": None},
    "reports": {"evaluation": None},
}
# Who is in which split, and the frozen test cases: without them another home would test on what was trained on.
REGISTERS = ("splits.json", "test-split.json")
_NOTE = "storage.json"
_PATIENCE = 3600.0  # another process of this home may be sending gigabytes


@dataclass(slots=True)
class Done:
    """Versions as `root/stage/name` that were sent or fetched, their files and bytes; what waits for its gate, and what was
    left because it cannot be trusted, each with its reason."""

    versions: list[str] = field(default_factory=list)
    files: int = 0
    bytes: int = 0
    waiting: dict[str, str] = field(default_factory=dict)
    left: dict[str, str] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Row:
    """A version in the home, the store, or both. `newest`: the store's `latest` names it."""

    root: str
    stage: str
    name: str
    home: bool
    store: bool
    newest: bool


def objects_of(workspace: Workspace, settings: Settings) -> Objects:
    """The object store of the settings, with the seal of this home's vault.

    Raises `UsageError` where there is no address, no vault, or a package is missing.
    """
    if settings.storage.url and not (workspace.vault / KEYRING).exists():
        raise UsageError(
            f"There is no vault in {workspace.home}, whose key seals what is in the object store: restore it first "
            "(`preceptor restore`), or take documents in."
        )
    return open_objects(
        settings.storage, storage_key(workspace, settings.vault) if settings.storage.url else b""
    )


def push(workspace: Workspace, objects: Objects, check: bool = False) -> Done:
    """Send every finished version that the store lacks, and every one from which a patient was erased since.

    A version that is not there and has not passed its gate waits; one that differs from the store's is left. Raises `StorageAway`;
    what was sent until then counts.
    """
    done = Done()
    with _alone(workspace):
        if not _push_registers(workspace, objects, done, check):
            return done
        for copy in _of_home(workspace):
            version = load(_folder(workspace, copy.root), copy.stage, copy.name)
            try:
                there = _trusted(objects, copy, check)
                if there is None and (reason := _waits_for_gate(workspace, copy)):
                    done.waiting[copy.key] = reason
                    continue
                sent = copies.put(objects, copy, version, there, check)
            except ChangedCopy as error:
                done.left[copy.key] = str(error)
                continue
            if sent.files:
                done.versions.append(copy.key)
            done.files, done.bytes = done.files + sent.files, done.bytes + sent.bytes
            if _latest_here(workspace, copy):
                copies.point_newest(objects, copy)
    return done


def pull(
    workspace: Workspace,
    objects: Objects,
    erased: Collection[str],
    roots: Collection[str] = tuple(KEPT),
    wanted: Collection[Copy] | None = None,
    everything: bool = False,
) -> Done:
    """Fetch versions that the home lacks, with those they were made from: `wanted`, else the newest of each stage, else all.

    `erased` are the patients whom the vault knows as erased: whatever came back of them is dropped before it is put in place.
    One that is not what it was is left, with the reason. Raises `StorageAway`.
    """
    done = Done()
    with _alone(workspace):
        _pull_registers(workspace, objects)
        for copy in wanted if wanted is not None else list(_of_store(objects, roots, everything)):
            try:
                _fetch(workspace, objects, copy, erased, done, asked=wanted is not None)
            except ChangedCopy as error:
                done.left[copy.key] = str(error)
    return done


def rows(workspace: Workspace, objects: Objects) -> list[Row]:
    """What of this home could be kept, and what is in the store."""
    here, there = set(_of_home(workspace)), set(_of_store(objects, KEPT, everything=True))
    newest = {copies.newest(objects, root, stage) for root, stage in {(c.root, c.stage) for c in there}}
    return [
        Row(c.root, c.stage, c.name, c in here, c in there, c in newest)
        for c in sorted(here | there, key=lambda c: c.key)
    ]


def find(objects: Objects, stage: str, name: str | None) -> Copy:
    """The copy of a version by stage and name, or the newest of the stage. Raises `UsageError` if it is not there."""
    root = _root_of(stage)
    found = (Copy(root, stage, name) if name else copies.newest(objects, root, stage)) if root else None
    if found is None or copies.manifest_of(objects, found) is None:
        raise UsageError(
            f"{objects.name} has no version {name or ''} of {stage}: `preceptor storage list` shows what is there."
        )
    return found


def _fetch(
    workspace: Workspace,
    objects: Objects,
    copy: Copy,
    erased: Collection[str],
    done: Done,
    asked: bool = False,
) -> None:
    folder = _folder(workspace, copy.root)
    if (folder / copy.stage / copy.name / MANIFEST).exists():
        return
    manifest = copies.manifest_of(objects, copy)
    if manifest is None:
        return  # `latest`, or a manifest, may name one that was removed
    # Before it what it was made from: whoever finds a version finds that too.
    for stage, name in manifest["inputs"].items():
        if (root := _root_of(stage)) and isinstance(name, str) and "/" not in name:
            _fetch(workspace, objects, Copy(root, stage, name), erased, done)
    part = folder / copy.stage / f".{copy.name}.fetched.part"
    copies.fetch(objects, copy, manifest, part)
    if erased and holds_any(part, erased):
        if copy.root == "data":
            drop_rows(part, erased)
        else:
            drop_cases(part)
    newest = asked or copies.newest(objects, copy.root, copy.stage) == copy
    take_in(folder, copy.stage, part, copy.name, newest)
    done.versions.append(copy.key)
    done.files += len(manifest["files"])
    done.bytes += sum(
        path.stat().st_size for path in (folder / copy.stage / copy.name).rglob("*") if path.is_file()
    )


def _of_home(workspace: Workspace) -> Iterator[Copy]:
    """Finished versions of the home that may be kept, what they are made from first."""
    for root, kept in KEPT.items():
        found = {path.parent for path in _folder(workspace, root).glob(f"*/*/{MANIFEST}")}
        for pattern in kept:
            for folder in sorted(f for f in found if fnmatchcase(f.parent.name, pattern)):
                if not folder.name.startswith("."):
                    yield Copy(root, folder.parent.name, folder.name)


def _of_store(objects: Objects, roots: Collection[str], everything: bool) -> Iterator[Copy]:
    for root in roots:
        for stage in copies.stages(objects, root):
            if _root_of(stage) != root:
                continue  # not ours, whoever put it there
            if everything:
                yield from copies.copies(objects, root, stage)
            elif newest := copies.newest(objects, root, stage):
                yield newest


def _root_of(stage: str) -> str | None:
    """The folder of the home in which versions of a stage lie; None if they are not kept."""
    return next((r for r, kept in KEPT.items() if any(fnmatchcase(stage, p) for p in kept)), None)


def _folder(workspace: Workspace, root: str) -> Path:
    return {"data": workspace.data, "models": workspace.models, "reports": workspace.reports}[root]


def _waits_for_gate(workspace: Workspace, copy: Copy) -> str | None:
    suite = next(s for p, s in KEPT[copy.root].items() if fnmatchcase(copy.stage, p))
    if suite is None:
        return None
    verdict = known_verdict(workspace.data, suite, copy.name)
    if verdict is None:
        return (
            f"{suite} has not been judged by its present suite (rule gate-not-run): `preceptor run` does it."
        )
    return None if verdict.passed else f"{suite} did not pass its quality gate (rule gate-failed)."


def _latest_here(workspace: Workspace, copy: Copy) -> bool:
    pointer = _folder(workspace, copy.root) / copy.stage / copies.LATEST
    return pointer.exists() and pointer.read_text().strip() == copy.name


def _alone(workspace: Workspace) -> AbstractContextManager[None]:
    busy = StorageError(
        f"Another process has been sending or fetching versions of {workspace.home} for an hour."
    )
    return exclusive(workspace.home / "storage.lock", busy, patience=_PATIENCE)


def _trusted(objects: Objects, copy: Copy, check: bool) -> dict[str, Any] | None:
    """The manifest in the store; with `check` one that cannot be trusted counts as missing, and is written again."""
    try:
        return copies.manifest_of(objects, copy)
    except ChangedCopy:
        if not check:
            raise
        return None


def _push_registers(workspace: Workspace, objects: Objects, done: Done, check: bool) -> bool:
    """Send them; False, with the reason in `done`, where those of the store are not of this home: its versions are not either."""
    for name in REGISTERS:
        path, key = workspace.data / name, f"registers/{name}"
        if not path.exists():
            continue
        mine, there = path.read_text(encoding="utf-8"), None
        try:
            there = objects.read_sealed(key)
        except ChangedCopy as error:
            if not check:
                done.left[key] = str(error)
                return False
        if there is not None and not _goes_on_from(json.loads(mine), json.loads(there)):
            done.left[key] = (
                "This home assigned patients or test cases otherwise than the store says (rule storage-split): two homes made "
                "test splits of their own. Nothing was sent; give this home another storage.url."
            )
            return False
        if mine != there:
            objects.write_sealed(key, mine)
    return True


def _pull_registers(workspace: Workspace, objects: Objects) -> None:
    for name in REGISTERS:
        path = workspace.data / name
        if not path.exists() and (found := objects.read_sealed(f"registers/{name}")) is not None:
            write_atomic(path, found)
    note = workspace.home / _NOTE
    if not has_asked(workspace, objects):
        write_atomic(note, json.dumps({"url": objects.name}))


def has_asked(workspace: Workspace, objects: Objects) -> bool:
    """Whether this home has its splits, or has asked the store once whether it has some."""
    note = workspace.home / _NOTE
    return all((workspace.data / name).exists() for name in REGISTERS) or (
        note.exists() and json.loads(note.read_text())["url"] == objects.name
    )


def _goes_on_from(mine: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """Whether everything in one register stands in the other too; both only ever grow."""

    def cases(value: Any) -> set[Any]:
        return set(value["cases"]) if isinstance(value, dict) else {value}

    return all(name in mine and cases(value) <= cases(mine[name]) for name, value in theirs.items())
