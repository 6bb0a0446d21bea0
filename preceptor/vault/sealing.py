"""Sealing values (AES-256-GCM, NIST SP 800-38D) and wrapping keys (AES key wrap, RFC 3394).

A sealed value is `version (1 byte) | nonce (12) | ciphertext and tag`. The associated data binds it to its row and
column, and since version 2 to the columns beside it that are not sealed themselves: a value that was changed, moved
to another row, or given another batch or format does not open.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os

from preceptor.vault.errors import VaultError

_BOUND_TO_ROW, _BOUND_TO_COLUMNS = 1, 2


def seal(key: bytes, plain: bytes, row: str, column: str, beside: tuple[str, ...] = ()) -> bytes:
    """Seal `plain` as the value of `column` in `row`; `beside` are the row's open values to be bound with it."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(12)
    bound = json.dumps([_BOUND_TO_COLUMNS, row, column, *beside]).encode()
    return bytes([_BOUND_TO_COLUMNS]) + nonce + AESGCM(key).encrypt(nonce, plain, bound)


def unseal(key: bytes, sealed: bytes, row: str, column: str, beside: tuple[str, ...] = ()) -> bytes:
    """The plain value. Raises `VaultError`, naming row and column, if anything of it was changed."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    # Version 1, which vaults made before still hold, bound the row and the column only.
    bound = {
        _BOUND_TO_ROW: [_BOUND_TO_ROW, row, column],
        _BOUND_TO_COLUMNS: [_BOUND_TO_COLUMNS, row, column, *beside],
    }.get(sealed[0] if sealed else 0)
    try:
        if bound is None or len(sealed) < 29:
            raise InvalidTag
        return AESGCM(key).decrypt(sealed[1:13], sealed[13:], json.dumps(bound).encode())
    except InvalidTag:
        raise VaultError(f"{column} {row}: its bytes were changed, or this is not its key.") from None


def wrap_key(wrapping: bytes, key: bytes) -> bytes:
    """The 32-byte `key`, wrapped: 40 bytes."""
    from cryptography.hazmat.primitives.keywrap import aes_key_wrap

    return aes_key_wrap(wrapping, key)


def unwrap_key(wrapping: bytes, wrapped: bytes) -> bytes | None:
    """The key, or None if it was changed or wrapped by another."""
    from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

    try:
        return aes_key_unwrap(wrapping, wrapped)
    except InvalidUnwrap:
        return None


def key_id(key: bytes) -> str:
    """A name for a random 256-bit key that tells nothing of it: 16 hex digits."""
    return hmac.new(key, b"preceptor/key id", hashlib.sha256).hexdigest()[:16]
