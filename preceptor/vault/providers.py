"""What opens a keyring: a local key, an age identity, or a key in a Transit engine. One interface, three kinds."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from preceptor.errors import UsageError
from preceptor.keys import derive, read_key_file
from preceptor.vault.errors import VaultError
from preceptor.vault.sealing import key_id, unwrap_key, wrap_key

if TYPE_CHECKING:
    from pyrage import x25519

ENV_IDENTITY = "PRECEPTOR_AGE_IDENTITY_FILE"
ENV_RECIPIENTS = "PRECEPTOR_AGE_RECIPIENTS"


class KeyProvider(Protocol):
    """Wraps and unwraps one 32-byte key. No method shows a secret."""

    kind: str

    def wrap(self, secret: bytes) -> str:
        """The secret as text that only this provider turns back."""

    def unwrap(self, wrapped: str) -> bytes:
        """The secret. Raises `VaultError` if it was wrapped for another key, or changed."""

    def facts(self) -> dict[str, Any]:
        """What may be written beside what was wrapped, so that the right key is found again."""

    def describe(self) -> str:
        """Which key this is, for people."""


class LocalKey:
    """A 32-byte key of this machine; AES key wrap (RFC 3394)."""

    kind = "local"

    def __init__(self, master: bytes, where: str) -> None:
        self._key, self._where = derive(master, "keyring"), where
        self.id = key_id(master)

    @classmethod
    def in_file(cls, path: Path) -> LocalKey:
        return cls(read_key_file(path), str(path))

    def wrap(self, secret: bytes) -> str:
        return base64.b64encode(wrap_key(self._key, secret)).decode()

    def unwrap(self, wrapped: str) -> bytes:
        secret = unwrap_key(self._key, _decoded(wrapped))
        if secret is None:
            raise VaultError(f"The master key in {self._where} is not the one this vault was made with.")
        return secret

    def facts(self) -> dict[str, Any]:
        return {"id": self.id}

    def describe(self) -> str:
        return f"local key {self.id} in {self._where}"


class AgeKey:
    """An age identity (age-encryption.org/v1, X25519), and any number of recipients that can open the keyring too.

    The identity file is what `age-keygen` writes. The identity is a recipient itself.
    """

    kind = "age"

    def __init__(self, identity_file: Path, recipients: tuple[str, ...] = ()) -> None:
        self._identities = _identities(identity_file)
        self._where = identity_file
        own = [str(identity.to_public()) for identity in self._identities]
        self.recipients = tuple(dict.fromkeys([*own, *recipients]))

    def wrap(self, secret: bytes) -> str:
        import pyrage

        try:
            known = [pyrage.x25519.Recipient.from_str(name) for name in self.recipients]
        except pyrage.RecipientError:
            raise UsageError("vault.age_recipients: one of them is no age recipient (age1…).") from None
        return base64.b64encode(pyrage.encrypt(secret, known)).decode()

    def unwrap(self, wrapped: str) -> bytes:
        import pyrage

        try:
            return pyrage.decrypt(_decoded(wrapped), self._identities)
        except pyrage.DecryptError:
            raise VaultError(
                f"The age identity in {self._where} does not open this vault's keyring: its master key is another."
            ) from None

    def facts(self) -> dict[str, Any]:
        return {"recipients": list(self.recipients)}

    def describe(self) -> str:
        return f"age identity in {self._where}, {len(self.recipients)} recipients"


class TransitKey:
    """A key of a Transit engine (HashiCorp Vault, OpenBao), which never leaves the server.

    `VAULT_ADDR` says where; the token is in `VAULT_TOKEN`, or in the file that `VAULT_TOKEN_FILE` names.
    """

    kind = "transit"
    _SECONDS = 10.0

    def __init__(self, name: str, mount: str = "transit") -> None:
        self._address = os.environ.get("VAULT_ADDR", "").rstrip("/")
        self._name, self._mount = name, mount
        if not self._address.startswith(("https://", "http://")):
            raise UsageError(
                "Set VAULT_ADDR to the address of the Transit server, as https://vault.example:8200."
            )

    def wrap(self, secret: bytes) -> str:
        return self._ask("encrypt", {"plaintext": base64.b64encode(secret).decode()}, "ciphertext")

    def unwrap(self, wrapped: str) -> bytes:
        return _decoded(self._ask("decrypt", {"ciphertext": wrapped}, "plaintext"))

    def facts(self) -> dict[str, Any]:
        return {"name": self._name, "mount": self._mount}

    def describe(self) -> str:
        return f"transit key {self._mount}/{self._name} at {self._address}"

    def _ask(self, what: str, body: dict[str, str], wanted: str) -> str:
        import httpx

        url = f"{self._address}/v1/{self._mount}/{what}/{self._name}"
        try:
            answer = httpx.post(url, json=body, headers={"X-Vault-Token": _token()}, timeout=self._SECONDS)
        except httpx.HTTPError as error:
            raise VaultError(
                f"The Transit server did not answer {url} ({type(error).__name__}). Without it the vault stays closed."
            ) from None
        if answer.status_code != 200:
            raise VaultError(
                f"The Transit server refused {url}: HTTP {answer.status_code}. Is the token valid, and does its "
                "policy allow this key? A 400 at decrypt means that the keyring was made with another master key."
            )
        try:
            return str(answer.json()["data"][wanted])
        except (ValueError, KeyError, TypeError):
            raise VaultError(f"The Transit server's answer to {url} is not understood.") from None


def age_key(recipients: tuple[str, ...] = (), identity_file: Path | None = None) -> AgeKey:
    """The age key of the environment, with recipients from settings and from `PRECEPTOR_AGE_RECIPIENTS`."""
    named = identity_file or (Path(p) if (p := os.environ.get(ENV_IDENTITY)) else None)
    if named is None:
        raise UsageError(
            f"The keyring is kept by age: set {ENV_IDENTITY} to the identity file (`age-keygen -o FILE` makes one)."
        )
    more = tuple(r.strip() for r in os.environ.get(ENV_RECIPIENTS, "").split(",") if r.strip())
    return AgeKey(named, (*recipients, *more))


def _identities(path: Path) -> list[x25519.Identity]:
    import pyrage

    if not path.is_file():
        raise UsageError(f"There is no age identity file {path}.")
    if path.stat().st_mode & 0o037:
        raise UsageError(f"Others may read or change the key in {path}: run `chmod 600 {path}`.")
    lines = [line.strip() for line in path.read_text().splitlines()]
    try:
        found = [pyrage.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except pyrage.IdentityError:
        found = []
    if not found:
        raise UsageError(f"{path} holds no age identity (AGE-SECRET-KEY-…), as `age-keygen` writes it.")
    return found


def _token() -> str:
    if token := os.environ.get("VAULT_TOKEN"):
        return token
    named = os.environ.get("VAULT_TOKEN_FILE")
    if not named or not Path(named).is_file():
        raise UsageError("Set VAULT_TOKEN, or VAULT_TOKEN_FILE to a file with the Transit server's token.")
    return Path(named).read_text().strip()


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise VaultError("The keyring's wrapped key is not readable: it was changed or damaged.") from None
