"""People: who they are, what they may do, and the key each signs with.

A person's Ed25519 private key lies in the store encrypted (AES-256-GCM) under a key that Argon2id (RFC 9106)
makes from the password and a salt of its own; it is open only while that person signs.
"""

from __future__ import annotations

import os
import pwd
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from preceptor.errors import GateRefused, UsageError
from preceptor.release.store import ROLES, Store, UserRow

DEMO_APPROVER = "demo-approver"
MIN_PASSWORD = 12  # characters; NIST SP 800-63B asks for 8 and prefers length to composition rules
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")


class NotAuthenticated(GateRefused):
    """Name and password do not belong together, or the account is disabled. Says no more than that."""


@dataclass(frozen=True, slots=True)
class User:
    """A person without secrets."""

    name: str
    role: str
    disabled: bool
    added_at: str


@dataclass(frozen=True, slots=True)
class Signer:
    """A person who has just proved their password; `sign` signs bytes with their key."""

    name: str
    role: str
    sign: Callable[[bytes], bytes]
    printed_name: str = (
        ""  # as it stands beside a signature (21 CFR 11.50(a)(1)); the account's name if none was given
    )


def operator() -> str:
    """The operating-system account behind an unsigned event: `operator:NAME` (no user is called so)."""
    try:
        return f"operator:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:  # an account without an entry, as in many containers
        return f"operator:uid-{os.getuid()}"


def add(store: Store, name: str, role: str, password: str, *, actor: str, printed_name: str = "") -> User:
    """Add a person. Raises `UsageError` for a taken or odd name, an unknown role or a short password."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            "A user name is 1 to 64 letters, digits and . _ @ -, starting with a letter or digit."
        )
    if role not in ROLES:
        raise UsageError(f"There is no role {role!r}; name one of {', '.join(ROLES)}.")
    if len(password) < MIN_PASSWORD:
        raise UsageError(f"The password is too short: at least {MIN_PASSWORD} characters.")
    public_key, salt, sealed = _new_key(name, password)
    password_hash = _hasher().hash(password)
    with store.transaction() as db:
        if db.execute("SELECT 1 FROM users WHERE name = ?", (name,)).fetchone():
            raise UsageError(f"There is already a user {name!r}. Names are never used again.")
        payload = {"name": name, "role": role, "public_key": public_key.hex()}
        if printed_name.strip():
            payload["printed_name"] = printed_name.strip()
        event = store.append("user_added", f"user:{name}", actor, payload)
        db.execute(
            "INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, 0, ?)",
            (name, role, password_hash, public_key, salt, sealed, event.at),
        )
    return User(name, role, False, event.at)


def list_users(store: Store) -> list[User]:
    """All people by name, the disabled ones too."""
    return [User(row.name, row.role, row.disabled, row.added_at) for row in store.users()]


def disable(store: Store, name: str, *, actor: str) -> User:
    """End an account; what its owner signed before stays valid. Disabling it again changes nothing."""
    row = _row(store, name)
    if row is None:
        raise UsageError(f"There is no user {name!r}; see `preceptor users list`.")
    if not row.disabled:
        with store.transaction() as db:
            store.append("user_disabled", f"user:{name}", actor, {"name": name})
            db.execute("UPDATE users SET disabled = 1 WHERE name = ?", (name,))
    return User(row.name, row.role, True, row.added_at)


def authenticate(store: Store, name: str, password: str) -> Signer:
    """Return the person with their signing key opened.

    An unknown name, a wrong password and a disabled account take the same time and raise the same
    `NotAuthenticated`, so that nobody can find out by trying who has an account.
    """
    from argon2.exceptions import InvalidHashError, VerificationError

    row, dummy = _row(store, name), _dummy_hash()
    try:
        _hasher().verify(row.password_hash if row else dummy, password)
        right = row is not None
    except (VerificationError, InvalidHashError):
        right = False
    # Deriving the key is as slow as the check itself, so it is done for everybody.
    key = _key_from(password, row.key_salt if row else bytes(16))
    private = _open_key(row, key) if row and right else None
    if row is None or private is None or row.disabled:
        raise NotAuthenticated(
            "Name and password do not belong together, or the account is disabled. Nothing was changed; "
            "`preceptor users list` shows the accounts."
        )
    printed = store.people()[row.name].printed_name or row.name
    return Signer(row.name, row.role, private.sign, printed)


def entitled(
    store: Store, name: str, password: str, roles: frozenset[str], deed: str, reason: str | None
) -> Signer:
    """Who has just proved their password and holds one of the roles; `deed` says what for, `approve a version`.

    Raises `UsageError` for an empty reason (`None` where no reason is asked), `RecordBroken`, `NotAuthenticated`, and
    `GateRefused` for another role.
    """
    if reason is not None and not reason.strip():
        raise UsageError(f"Give a reason (--reason): it is part of what is signed when you {deed}.")
    store.require_intact()
    signer = authenticate(store, name, password)
    if signer.role not in roles:
        raise GateRefused(
            f"{signer.name} is {signer.role}; only {' or '.join(sorted(roles))} may {deed}. Nothing was changed."
        )
    return signer


def ensure_demo_approver(store: Store, *, actor: str = "demo") -> str | None:
    """Make the demo profile's approver if it is not there; return its password then, and only then.

    The caller shows it once. It is stored nowhere; only its Argon2id hash is.
    """
    if _row(store, DEMO_APPROVER):
        return None
    password = secrets.token_urlsafe(15)
    try:
        add(store, DEMO_APPROVER, "approver", password, actor=actor)
    except UsageError:
        if _row(store, DEMO_APPROVER):  # another process was faster, and has shown its password
            return None
        raise
    return password


def _row(store: Store, name: str) -> UserRow | None:
    return next((user for user in store.users() if user.name == name), None)


@lru_cache(maxsize=1)
def _hasher() -> Any:
    from argon2 import PasswordHasher

    return PasswordHasher()  # argon2id, 64 MiB, 3 passes, 4 lanes: RFC 9106's second recommended choice


@lru_cache(maxsize=1)
def _dummy_hash() -> str:
    return _hasher().hash(secrets.token_hex(16))


def _key_from(password: str, salt: bytes) -> bytes:
    from argon2.low_level import Type, hash_secret_raw

    return hash_secret_raw(
        password.encode(), salt, time_cost=3, memory_cost=65536, parallelism=4, hash_len=32, type=Type.ID
    )


def _new_key(name: str, password: str) -> tuple[bytes, bytes, bytes]:
    """Return a new public key, a salt, and the private key sealed under password and salt."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    private = Ed25519PrivateKey.generate()
    salt, nonce = os.urandom(16), os.urandom(12)
    sealed = nonce + AESGCM(_key_from(password, salt)).encrypt(
        nonce, private.private_bytes_raw(), name.encode()
    )
    return private.public_key().public_bytes_raw(), salt, sealed


def _open_key(row: UserRow, key: bytes) -> Any | None:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        raw = AESGCM(key).decrypt(row.sealed_key[:12], row.sealed_key[12:], row.name.encode())
    except InvalidTag:  # the hash was replaced in the file, but the key cannot be opened by the new password
        return None
    return Ed25519PrivateKey.from_private_bytes(raw)
