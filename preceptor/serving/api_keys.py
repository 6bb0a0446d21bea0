"""API keys: who may ask what. Only a hash of each is kept, so the file tells nobody how to ask.

A key is `pk-ID-SECRET` with 256 random bits in SECRET: nothing that could be guessed, so one round of SHA-256 protects
it at rest as well as a slow hash would a password. Revoking takes effect at the next request: the file is looked at anew
whenever it has changed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from preceptor.errors import PreceptorError, UsageError
from preceptor.locks import exclusive
from preceptor.private_files import make_private_folder, replace_private

FILE = "keys.json"
SCOPES = ("chat", "completions", "rag", "feedback", "metrics")
DEFAULT_SCOPES = ("chat", "rag", "feedback")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._@-]{0,63}")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret. `requests_per_minute` 0: as the settings say."""

    id: str
    name: str
    scopes: tuple[str, ...]
    sha256: str
    created: str
    requests_per_minute: int = 0
    revoked: str = ""


class ApiKeys:
    """The keys of a home, `HOME/serving/keys.json`."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._path = folder, folder / FILE
        self._seen: tuple[int, int] | None = None
        self._keys: dict[str, ApiKey] = {}

    def add(
        self, name: str, scopes: tuple[str, ...] = DEFAULT_SCOPES, requests_per_minute: int = 0
    ) -> tuple[ApiKey, str]:
        """Make a key; return it and the text to send, which is nowhere afterwards. Raises `UsageError`."""
        if not _NAME.fullmatch(name):
            raise UsageError(
                "A key's name is 1 to 64 letters, digits, blanks and . _ @ -, beginning with a letter or digit."
            )
        if unknown := sorted(set(scopes) - set(SCOPES)) or (not scopes and ["none"]):
            raise UsageError(f"There is no scope {', '.join(unknown)}; scopes are {', '.join(SCOPES)}.")
        secret, id = secrets.token_urlsafe(32), secrets.token_hex(4)
        key = ApiKey(id, name, tuple(sorted(set(scopes))), _hash(secret), _now(), requests_per_minute)
        self._change(lambda keys: {**keys, id: key})
        return key, f"pk-{id}-{secret}"

    def revoke(self, id: str) -> ApiKey:
        """End a key, by its id. Raises `UsageError` if there is none."""

        def revoked(keys: dict[str, ApiKey]) -> dict[str, ApiKey]:
            if id not in keys:
                raise UsageError(f"There is no key {id}; `preceptor serve keys list` shows what there is.")
            ended = ApiKey(**{**_facts(keys[id]), "revoked": keys[id].revoked or _now()})
            return {**keys, id: ended}

        return self._change(revoked)[id]

    def list(self) -> list[ApiKey]:
        """All keys, the oldest first, revoked ones too."""
        return sorted(self._read().values(), key=lambda key: key.created)

    def in_use(self) -> bool:
        """Whether keys are asked for: from the first one on, also when all are revoked, for else revoking the last one would
        let everybody in."""
        return bool(self._read())

    def find(self, sent: str) -> ApiKey | None:
        """The key of a text that was sent; None if it is wrong or revoked. Takes as long whichever of the two."""
        parts = sent.split("-", 2)
        known = self._read().get(parts[1]) if len(parts) == 3 and parts[0] == "pk" else None
        matches = hmac.compare_digest(_hash(parts[-1]), known.sha256 if known else _hash(""))
        return known if known and matches and not known.revoked else None

    def _change(self, change) -> dict[str, ApiKey]:
        make_private_folder(self.folder)
        busy = PreceptorError(f"Another process is changing {self._path}; run this again.")
        with exclusive(self.folder / "keys.lock", busy, patience=10):
            changed = change(self._read())
            text = json.dumps([_facts(key) for key in changed.values()], indent=1)
            replace_private(self._path, text + "\n")
        return changed

    def _read(self) -> dict[str, ApiKey]:
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return {}
        if self._seen != (stat.st_mtime_ns, stat.st_ino):
            try:
                rows = json.loads(self._path.read_text(encoding="utf-8"))
                self._keys = {row["id"]: ApiKey(**{**row, "scopes": tuple(row["scopes"])}) for row in rows}
            except (ValueError, KeyError, TypeError):
                raise PreceptorError(
                    f"{self._path} is damaged: restore it, or delete it and make new keys."
                ) from None
            self._seen = (stat.st_mtime_ns, stat.st_ino)
        return self._keys


def _facts(key: ApiKey) -> dict:
    return asdict(key)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
