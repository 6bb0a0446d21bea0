"""The local master key, and the secrets that stages ask for.

The master key opens the keyring of a home (`preceptor.vault.keyring`), which holds the secrets: a new master key
changes none of them.
"""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path

from preceptor.errors import UsageError
from preceptor.private_files import create_private, make_private_folder
from preceptor.settings import VaultSettings, Workspace

KEYRING = "keyring.json"  # beside the vault
ENV_KEY = "PRECEPTOR_MASTER_KEY"
ENV_FILE = "PRECEPTOR_MASTER_KEY_FILE"
# Group may read: Kubernetes gives a mounted secret to the pod's group (fsGroup).
_OPEN_TO_OTHERS = 0o037


def master_key(workspace: Workspace) -> bytes:
    """Return the 32-byte master key: from `PRECEPTOR_MASTER_KEY` (base64), the file that
    `PRECEPTOR_MASTER_KEY_FILE` names, or `keys/master.key` of the home, which is made if there is no vault yet.

    Raises `UsageError` if the key is malformed, may be read by others, or was lost while a vault exists.
    """
    path = key_file(workspace)
    if path is None:
        return _decode(os.environ[ENV_KEY], f"the variable {ENV_KEY}")
    if path.exists():
        return read_key_file(path)
    if os.environ.get(ENV_FILE):
        raise UsageError(f"{ENV_FILE} names {path}, which is not a file.")
    if any((workspace.vault / name).exists() for name in ("vault.db", KEYRING)):
        raise UsageError(
            f"The vault in {workspace.vault} exists, but its master key is gone: {path} is missing and neither "
            f"{ENV_KEY} nor {ENV_FILE} is set. Restore the key; nothing can be read without it."
        )
    make_private_folder(workspace.keys)
    return make_key_file(path)


def key_file(workspace: Workspace) -> Path | None:
    """Where the local master key lies; None if the environment holds the key itself."""
    if os.environ.get(ENV_KEY):
        return None
    named = os.environ.get(ENV_FILE)
    return Path(named) if named else workspace.keys / "master.key"


def read_key_file(path: Path) -> bytes:
    """The key in a file. Raises `UsageError` if it is malformed or others may read it."""
    if not path.is_file():
        raise UsageError(f"{path} is not a file.")
    if path.stat().st_mode & _OPEN_TO_OTHERS:
        raise UsageError(f"Others may read or change the key in {path}: run `chmod 600 {path}`.")
    return _decode(path.read_text(), str(path))


def make_key_file(path: Path) -> bytes:
    """Make a random key in `path`, unless there is one, and return it."""
    create_private(path, base64.b64encode(os.urandom(32)).decode() + "\n")
    return read_key_file(path)


def derive(master: bytes, purpose: str) -> bytes:
    """Return a 32-byte key for one purpose (HKDF-SHA-256, RFC 5869); knowing it tells nothing of the master."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"preceptor/{purpose}".encode()).derive(master)


def deid_secret(workspace: Workspace, settings: VaultSettings | None = None) -> bytes:
    """The key of surrogates and date shifts."""
    from preceptor.vault.opening import open_keyring

    return open_keyring(workspace, settings).secrets.surrogates


def release_key(workspace: Workspace, settings: VaultSettings | None = None) -> bytes:
    """The key of the hash chain over the release record."""
    from preceptor.vault.opening import open_keyring

    return open_keyring(workspace, settings).secrets.release


def storage_key(workspace: Workspace, settings: VaultSettings | None = None) -> bytes:
    """The key that seals what is kept in an object store."""
    return derive(release_key(workspace, settings), "object-store")


def _decode(text: str, where: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise UsageError(f"The master key in {where} must be 32 bytes in base64.")
    return key
