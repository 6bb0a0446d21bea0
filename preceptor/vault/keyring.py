"""The keyring: the secrets of a home, in one file that the master key opens.

`keyring.json` beside the vault holds six random secrets, sealed under a key that is wrapped by the master key, which
may be a local key, an age identity or a key of a Transit engine (`preceptor.vault.providers`):

    master key --wraps--> keyring key --seals--> references, quarantine, surrogates, release, audit,
                                                 wrap --wraps--> a data key per patient --seals--> documents

So a new master key changes neither references nor surrogates, and rewrites no document.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from preceptor.keys import KEYRING, derive
from preceptor.private_files import create_private, replace_private
from preceptor.vault.errors import VaultError
from preceptor.vault.providers import KeyProvider
from preceptor.vault.sealing import seal, unseal

_FORMAT = 1
# What a home that was made before there were keyrings derived from its master key, and from which purpose.
_PURPOSES = {
    "references": "vault/references",
    "quarantine": "vault/quarantine",
    "surrogates": "surrogates",
    "release": "release/chain",
    "audit": "vault/audit",
    "wrap": "vault/wrap",
}


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """The 32-byte secrets of a home. `next_wrap` is there only while the patients' keys are wrapped anew."""

    references: bytes
    quarantine: bytes
    surrogates: bytes
    release: bytes
    audit: bytes
    wrap: bytes
    next_wrap: bytes | None = None

    @classmethod
    def random(cls) -> Secrets:
        return cls(**{name: os.urandom(32) for name in _PURPOSES})

    @classmethod
    def derived(cls, master: bytes) -> Secrets:
        """The secrets of a home without a keyring."""
        return cls(**{name: derive(master, purpose) for name, purpose in _PURPOSES.items()})

    def to_json(self) -> bytes:
        return json.dumps({k: base64.b64encode(v).decode() for k, v in asdict(self).items() if v}).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Secrets:
        return cls(**{name: base64.b64decode(value) for name, value in json.loads(data).items()})


@dataclass(frozen=True, slots=True)
class Header:
    """What the keyring file says openly; all but `wrapped` is bound to what is sealed, so a change is noticed.

    `provider` and `key` say what opens it: enough to look for the right master key, and to name it in an error.
    """

    generation: int
    provider: str
    key: Mapping[str, Any]
    wrapped: str

    def bound(self) -> tuple[str, ...]:
        return (str(self.generation), self.provider, json.dumps(self.key, sort_keys=True))


@dataclass(frozen=True, slots=True, repr=False)
class Keyring:
    """An open keyring. `generation` counts the master keys it has had."""

    header: Header
    secrets: Secrets
    _key: bytes

    @classmethod
    def make(cls, secrets: Secrets, provider: KeyProvider, generation: int = 1) -> Keyring:
        key = os.urandom(32)
        return cls(Header(generation, provider.kind, provider.facts(), provider.wrap(key)), secrets, key)

    def with_secrets(self, secrets: Secrets) -> Keyring:
        """The same keyring, opened by the same master key, with other secrets in it."""
        return replace(self, secrets=secrets)

    def create(self, path: Path) -> bool:
        """Write the file; False if there is one already, which stays."""
        return create_private(path, self._text())

    def save(self, path: Path) -> None:
        """Replace the file whole."""
        replace_private(path, self._text())

    def _text(self) -> str:
        sealed = seal(self._key, self.secrets.to_json(), KEYRING, "secrets", self.header.bound())
        stored = {"format": _FORMAT, **asdict(self.header), "sealed": base64.b64encode(sealed).decode()}
        return json.dumps(stored, indent=1) + "\n"


def read_header(path: Path) -> Header:
    """What the file says openly. Raises `VaultError` if it is not readable."""
    return _read(path)[0]


def unlock(path: Path, provider: KeyProvider) -> Keyring:
    """Open the file. Raises `VaultError` for the wrong master key and for a file that was changed."""
    header, sealed = _read(path)
    key = provider.unwrap(header.wrapped)
    try:
        secrets = unseal(key, sealed, KEYRING, "secrets", header.bound())
    except VaultError:
        raise _damaged(path) from None
    return Keyring(header, Secrets.from_json(secrets), key)


def _read(path: Path) -> tuple[Header, bytes]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != _FORMAT:
            raise VaultError(
                f"{path} has format {data['format']}; this version of Preceptor reads {_FORMAT}."
            )
        header = Header(int(data["generation"]), data["provider"], data["key"], data["wrapped"])
        return header, base64.b64decode(data["sealed"], validate=True)
    except (ValueError, KeyError, TypeError):
        raise _damaged(path) from None


def _damaged(path: Path) -> VaultError:
    return VaultError(
        f"The keyring {path} was changed or damaged: restore it from a backup of the vault's folder."
    )
