"""What goes wrong with a vault, and how a damaged part of it is named."""

from __future__ import annotations

from dataclasses import dataclass

from preceptor.errors import PreceptorError


class VaultError(PreceptorError):
    """The vault cannot be read: wrong key, changed bytes, or an erased patient. Names the row, never its text."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that `verify` found: `where` is a row by its reference, a file, or an entry of the audit log."""

    where: str
    rule: str
    text: str
