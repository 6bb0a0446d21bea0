"""A new master key, without rewriting a document.

The steps, each of which leaves a vault that opens with the old or the new master key:

1. the new key is on the disk (a local key in place: beside the old one, as `master.key.next`);
2. the keyring, still under the old master key, holds a second key for wrapping patients' keys;
3. every patient's key is wrapped by that, in one transaction which also says so in the vault;
4. the keyring, without the first wrapping key, is under the new master key;
5. the old local key is put away or destroyed, and the new one takes its name.

Killed anywhere, the same command goes on from there.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from preceptor import disk
from preceptor.errors import UsageError
from preceptor.keys import ENV_KEY, KEYRING, key_file, make_key_file
from preceptor.locks import exclusive
from preceptor.private_files import create_private, make_private_folder, sync_folder
from preceptor.settings import VaultSettings, Workspace
from preceptor.vault.errors import VaultError
from preceptor.vault.keyring import Keyring, read_header
from preceptor.vault.opening import open_keyring, transit_key
from preceptor.vault.providers import KeyProvider, LocalKey, TransitKey, age_key
from preceptor.vault.store import Vault

STEPS = ("new key", "second wrapping key", "patients' keys", "keyring", "old key")


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a rotation did. `old_key` is where the old local key lies now, None if nowhere that we know."""

    provider: str
    key: str
    generation: int
    patients: int
    old_key: str | None


def rotate(
    workspace: Workspace,
    to: str | None,
    settings: VaultSettings,
    *,
    keep_old: bool = True,
    after: Callable[[str], None] = lambda step: None,
) -> Rotation:
    """Put the vault under a new master key; `after` is told every step that was done.

    `to` is `age`, `age:IDENTITY_FILE`, `transit`, `transit:NAME`, the file of a local key (made if it is not there),
    or None: the same kind as now, which for a local key means a new one in the old one's place.
    Raises `UsageError` if there is no vault, or the new key cannot be had.
    """
    path = workspace.vault / KEYRING
    if not (workspace.vault / "vault.db").exists():
        raise UsageError(f"There is no vault in {workspace.vault} whose key could be rotated.")
    if not path.exists():
        open_keyring(workspace)  # upgrades a home without one
    with _alone(workspace.vault):
        target = _target(workspace, to or read_header(path).provider, settings)
        after(STEPS[0])
        patients = 0
        if not _is_under(path, target):
            patients = _rotate_keyring(workspace, path, target, after)
        old_key = _put_away(workspace, read_header(path).key.get("id", ""), keep_old)
        after(STEPS[4])
    return Rotation(target.kind, target.describe(), read_header(path).generation, patients, old_key)


def _rotate_keyring(
    workspace: Workspace, path: Path, target: KeyProvider, after: Callable[[str], None]
) -> int:
    keyring = open_keyring(workspace)
    if keyring.secrets.next_wrap is None:
        keyring = keyring.with_secrets(replace(keyring.secrets, next_wrap=os.urandom(32)))
        keyring.save(path)
    after(STEPS[1])
    new = keyring.secrets.next_wrap
    assert new is not None
    vault = Vault(workspace.vault, keyring.secrets)
    try:
        vault.note("rotated", "key rotation", details={"from": keyring.header.provider, "to": target.kind})
        patients = vault.rewrap_keys(new)
    finally:
        vault.close()
    after(STEPS[2])
    secrets = replace(keyring.secrets, wrap=new, next_wrap=None)
    Keyring.make(secrets, target, keyring.header.generation + 1).save(path)
    after(STEPS[3])
    return patients


def _target(workspace: Workspace, to: str, settings: VaultSettings) -> KeyProvider:
    kind, _, name = to.partition(":")
    match kind:
        case "age":
            return age_key(settings.age_recipients, Path(name) if name else None)
        case "transit":
            return TransitKey(name, settings.transit_mount) if name else transit_key(settings)
        case "local":
            live = _in_place(workspace)
            return _local_target(_waiting(live), live)
    return _local_target(Path(to), Path(to))


def _local_target(path: Path, where: Path) -> LocalKey:
    if not path.parent.is_dir():
        raise UsageError(f"There is no folder {path.parent} for the new key.")
    try:
        return LocalKey(make_key_file(path), str(where))
    except OSError as error:
        if disk.is_full(error, path.parent):
            raise disk.full(path.parent) from None
        raise UsageError(
            f"The new key cannot be written to {path} ({error.strerror}): name a file with --to."
        ) from None


def _in_place(workspace: Workspace) -> Path:
    live = key_file(workspace)
    if live is None:
        raise UsageError(
            f"The master key comes from {ENV_KEY}, which a rotation cannot change: name a file for the new "
            "key with --to, and PRECEPTOR_MASTER_KEY_FILE afterwards."
        )
    if live.parent == workspace.keys:
        make_private_folder(workspace.keys)
    return live


def _waiting(live: Path) -> Path:
    return live.with_name(f"{live.name}.next")


def _is_under(path: Path, target: KeyProvider) -> bool:
    """Whether the keyring is under that local key already: an earlier call was killed before its last step.

    Of other kinds nobody can tell; there the keys are rotated once more, which does no harm.
    """
    header = read_header(path)
    return header.provider == "local" == target.kind and header.key == target.facts()


def _put_away(workspace: Workspace, current: str, keep: bool) -> str | None:
    """Let a new key that waits beside the old one take its place; keep or destroy the old. Where it is now, or None.

    A key outside the home that nothing replaces in place is its owner's: it stays.
    """
    live = key_file(workspace)
    if live is None:
        return f"the variable {ENV_KEY}"
    waiting = _waiting(live)
    waits = waiting.exists() and LocalKey.in_file(waiting).id == current
    ours = live.parent == workspace.keys
    if not live.exists() or LocalKey.in_file(live).id == current:
        kept = None
    elif not (ours or waits):
        return str(live)
    else:
        kept = _keep(live) if keep else None
    if waits:
        waiting.replace(live)
    else:
        waiting.unlink(missing_ok=True)  # of an earlier call that went no further
        if live.exists() and LocalKey.in_file(live).id != current:
            live.unlink()
    if live.parent.is_dir():
        sync_folder(live.parent)
    return kept


def _keep(live: Path) -> str:
    folder = live.parent / "retired"
    make_private_folder(folder)
    stamp = datetime.now(UTC).strftime("%Y%m%d")
    kept = folder / f"{live.name}.{stamp}-{LocalKey.in_file(live).id}"
    create_private(kept, live.read_text())
    return str(kept)


def _alone(folder: Path) -> AbstractContextManager[None]:
    busy = VaultError("Another process rotates the vault's keys at this moment. Let it finish.")
    return exclusive(folder / "rotation.lock", busy)
