"""Who is signed in, and the lock-out after wrong passwords.

The browser holds a random token, the database only its hash. Names that were tried are kept as a MAC: somebody may have
typed a password there. A name is locked whether or not anybody has it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from preceptor.errors import GateRefused
from preceptor.review.database import reading, writing
from preceptor.settings import ReviewSettings

_NOTED_EVERY = 30.0  # seconds; a write for every click would be one too many


class Locked(GateRefused):
    """Too many wrong passwords for a name."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """The sessions in a database; `key` (32 bytes) makes form tokens and the MACs of names."""

    path: Path
    key: bytes
    settings: ReviewSettings
    clock: Callable[[], float] = time.time

    def begin(self, name: str, old: str = "") -> str:
        """A new token for a person who has just proved the password; the session of `old` ends."""
        token, now = secrets.token_urlsafe(32), self.clock()
        with writing(self.path) as db:
            db.execute("DELETE FROM sessions WHERE token_hash = ?", (_hash(old),))
            db.execute("DELETE FROM sessions WHERE begun < ?", (now - 3600 * self.settings.session_hours,))
            db.execute("INSERT INTO sessions VALUES (?, ?, ?, ?)", (_hash(token), name, now, now))
        return token

    def name_of(self, token: str) -> str | None:
        """Whose session it is; None for an unknown one and one that ended by time."""
        if not token:
            return None
        now = self.clock()
        with reading(self.path) as db:
            row = db.execute(
                "SELECT name, begun, seen FROM sessions WHERE token_hash = ?", (_hash(token),)
            ).fetchone()
            if row is None:
                return None
            name, begun, seen = row
            # Seen in the future is too long ago as well: a clock that was set back would make a session longer.
            if (
                abs(now - seen) > 60 * self.settings.idle_minutes
                or now - begun > 3600 * self.settings.session_hours
            ):
                db.execute("DELETE FROM sessions WHERE token_hash = ?", (_hash(token),))
                return None
            if now - seen > _NOTED_EVERY:
                db.execute("UPDATE sessions SET seen = ? WHERE token_hash = ?", (now, _hash(token)))
        return name

    def end(self, token: str) -> None:
        """Sign out."""
        with writing(self.path) as db:
            db.execute("DELETE FROM sessions WHERE token_hash = ?", (_hash(token),))

    def form_token(self, token: str) -> str:
        """What every form of this session carries, so that no other site can send one."""
        return hmac.new(self.key, b"form\0" + token.encode(), hashlib.sha256).hexdigest()

    def require_unlocked(self, name: str) -> None:
        """Raise `Locked` for a name with too many failures in the last minutes."""
        with reading(self.path) as db:
            (count,) = db.execute(
                "SELECT count(*) FROM failures WHERE name_mac = ? AND abs(at - ?) < ?",
                (self._mac(name), self.clock(), 60 * self.settings.lock_minutes),
            ).fetchone()
        if count >= self.settings.failures:
            raise Locked(
                f"Too many wrong passwords for this name: wait {self.settings.lock_minutes} minutes, then try again."
            )

    def failed(self, name: str) -> None:
        """Count a wrong password."""
        with writing(self.path) as db:
            db.execute("INSERT INTO failures VALUES (?, ?)", (self._mac(name), self.clock()))

    def succeeded(self, name: str) -> None:
        """Forget the failures of a name."""
        with writing(self.path) as db:
            db.execute("DELETE FROM failures WHERE name_mac = ?", (self._mac(name),))

    def _mac(self, name: str) -> str:
        return hmac.new(self.key, b"name\0" + name.encode(), hashlib.sha256).hexdigest()


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
