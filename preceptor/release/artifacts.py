"""The files of a model version and the digest that stands for all of them.

A registered folder holds the model's files, `bundle.json` (what is needed to make it again) and
`release.json`:

    {"files": {"adapter_config.json": "9f2c…", "bundle.json": "41aa…", …}}     path in the folder: SHA-256

The digest of the version is the hash of that mapping. Who signs the digest has signed every byte.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from preceptor.errors import PreceptorError, UsageError
from preceptor.versions import digest, file_sha256

BUNDLE = "bundle.json"
RELEASE = "release.json"
# What a bundle must say; a key may hold more, and a bundle may have more keys.
REQUIRED = ("data", "recipe", "code", "lock", "base_model", "evaluation", "seeds")


class DamagedVersion(PreceptorError):
    """The files of a model version are not those that were registered."""


def bundle_text(bundle: Mapping[str, Any]) -> str:
    """The bundle as it is stored: JSON with sorted keys.

    Raises `UsageError` if it lacks what is needed to make the model again, or holds what is no JSON.
    """
    missing = [key for key in REQUIRED if not bundle.get(key)]
    if missing:
        raise UsageError(f"A model cannot be registered without {', '.join(missing)} in its bundle.")
    if not isinstance(bundle["evaluation"], Mapping) or not bundle["evaluation"].get("version"):
        raise UsageError("A model cannot be registered without evaluation.version in its bundle.")
    try:
        return json.dumps(bundle, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError):
        raise UsageError(
            "The bundle of a model holds something that is no JSON (or is not finite)."
        ) from None


def release_files(model_dir: Path, bundle: str) -> dict[str, str]:
    """Return path and SHA-256 of every file that is to be registered.

    Raises `UsageError` for a folder that is empty or has files of our names.
    """
    if not model_dir.is_dir():
        raise UsageError(f"There is no model folder {model_dir}.")
    files = _hashes(model_dir)
    if not files:
        raise UsageError(f"The model folder {model_dir} is empty.")
    taken = {BUNDLE, RELEASE} & files.keys()
    if taken:
        raise UsageError(
            f"The model folder {model_dir} holds {taken.pop()}, which registering would overwrite."
        )
    return {**files, BUNDLE: hashlib.sha256(bundle.encode()).hexdigest()}


def weights_digest(model_dir: Path) -> str:
    """The digest of a model's own files without the bundle: the same however often it is evaluated."""
    return release_digest(_hashes(model_dir))


def release_digest(files: Mapping[str, str]) -> str:
    """The digest of a version from path and SHA-256 of its files."""
    return digest(dict(files))


def require_unchanged(folder: Path, expected: str, ref: str) -> None:
    """Raise `DamagedVersion`, naming a file, unless the folder's bytes are those of digest `expected`."""
    found = _hashes(folder)
    listed_text = found.pop(RELEASE, None) and (folder / RELEASE).read_text(encoding="utf-8")
    if release_digest(found) == expected:
        return
    try:
        listed = json.loads(listed_text or "{}").get("files", {})
    except ValueError:
        listed = {}
    differing = sorted(
        name for name in found.keys() | listed.keys() if found.get(name) != listed.get(name)
    ) or [RELEASE]
    raise DamagedVersion(
        f"{ref}: {differing[0]} in {folder} is not what was registered (rule digest; {len(differing)} "
        "file(s) differ). Restore the artifacts, or register the model again and have it approved."
    )


def _hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): file_sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
