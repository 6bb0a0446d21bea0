"""Which model version answers: found by alias or number, fit to be served, its files here and as they were registered."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from preceptor.errors import GateRefused, UsageError
from preceptor.evaluation.arms import ArmModel
from preceptor.evaluation.stage import tuned
from preceptor.models import ResolvedModel
from preceptor.providers.stage import PROVIDER
from preceptor.release.artifacts import DamagedVersion, require_unchanged
from preceptor.release.registry import Tracking, VersionInfo, bundle_of, download, resolve
from preceptor.release.stage import base_of
from preceptor.release.standing import standing, unfit
from preceptor.release.store import Store
from preceptor.settings import Workspace


@dataclass(frozen=True, slots=True)
class Version:
    """A registered version on this machine: `path` holds its files, `model` says what to load."""

    info: VersionInfo
    path: Path
    base: ResolvedModel
    model: ArmModel
    bundle: dict[str, Any]


def served(tracking: Tracking, store: Store, workspace: Workspace, ref: str) -> Version:
    """The version that `ref` (`NAME@ALIAS` or `NAME/VERSION`) stands for, with its files checked byte by byte.

    Raises `GateRefused` for one that is barred, rejected or not as recorded, `DamagedVersion` if the registry's own files
    were changed, `UsageError` if there is none or it is a provider's.
    """
    info = resolve(tracking, ref)
    require_fit(store, info)
    path = _files(tracking, workspace, info)
    if (path / PROVIDER).exists():
        raise UsageError(
            f"{info.ref} is at a provider, which answers for it: there is nothing here to serve or export."
        )
    bundle = bundle_of(tracking, info)
    base = base_of(bundle, workspace, info.ref)

    def nowhere(_: Path) -> Any:
        raise AssertionError("a version with files answers here")

    return Version(info, path, base, tuned(info.ref, path, base, info.digest, nowhere), bundle)


def require_fit(store: Store, info: VersionInfo) -> None:
    """Raise `GateRefused` for a version that may not be used: barred, rejected, refused by the gate, or changed."""
    store.require_intact()
    if reasons := unfit(standing(store, info.ref), info):
        raise GateRefused(
            f"{info.ref} is not used: {'; '.join(reasons)}. Promote another version, or go back with "
            "`preceptor release rollback`."
        )


def _files(tracking: Tracking, workspace: Workspace, info: VersionInfo) -> Path:
    folder = workspace.models / "served" / f"{info.name}-{info.version}-{info.digest[:12]}"
    if folder.exists():
        try:
            require_unchanged(folder, info.digest, info.ref)
            return folder
        except DamagedVersion:  # our copy; the registry's own is checked as it is copied anew
            shutil.rmtree(folder)
    try:
        download(tracking, info.ref, folder)
    except OSError:
        if not folder.exists():
            raise
        require_unchanged(folder, info.digest, info.ref)  # another process was faster
    return folder
