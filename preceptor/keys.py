"""The master key and what is derived from it."""

from __future__ import annotations

import base64
import binascii
import os
from pathlib import Path

from preceptor.errors import UsageError
from preceptor.settings import Workspace

_ENV_KEY = "PRECEPTOR_MASTER_KEY"
_ENV_FILE = "PRECEPTOR_MASTER_KEY_FILE"


def master_key(workspace: Workspace) -> bytes:
    """Return the 32-byte master key: from `PRECEPTOR_MASTER_KEY` (base64), the file that
    `PRECEPTOR_MASTER_KEY_FILE` names, or `keys/master.key` of the home, which is made if there is no vault yet.

    Raises `UsageError` if the key is malformed, or lost while a vault exists.
    """
    if os.environ.get(_ENV_KEY):
        return _decode(os.environ[_ENV_KEY], f"the variable {_ENV_KEY}")
    if os.environ.get(_ENV_FILE):
        named = Path(os.environ[_ENV_FILE])
        if not named.is_file():
            raise UsageError(f"{_ENV_FILE} names {named}, which is not a file.")
        return _decode(named.read_text(), str(named))
    path = workspace.keys / "master.key"
    if path.exists():
        return _decode(path.read_text(), str(path))
    if (workspace.vault / "vault.db").exists():
        raise UsageError(
            f"The vault in {workspace.vault} exists, but its master key is gone: {path} is missing and neither "
            f"{_ENV_KEY} nor {_ENV_FILE} is set. Restore the key; nothing can be read without it."
        )
    workspace.keys.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_suffix(".part")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(base64.b64encode(os.urandom(32)).decode() + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    beside.rename(path)
    return _decode(path.read_text(), str(path))


def derive(master: bytes, purpose: str) -> bytes:
    """Return a 32-byte key for one purpose (HKDF-SHA-256, RFC 5869); knowing it tells nothing of the master."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"preceptor/{purpose}".encode()).derive(master)


def deid_secret(workspace: Workspace) -> bytes:
    """The key of surrogates and date shifts."""
    return derive(master_key(workspace), "surrogates")


def _decode(text: str, where: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise UsageError(f"The master key in {where} must be 32 bytes in base64.")
    return key
