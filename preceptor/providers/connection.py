"""HTTP to a provider: where its routes are, the key, patience with what passes, and errors that quote nothing.

Of an answer that refuses only the code is told: its words may repeat what was sent.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from preceptor.errors import PreceptorError, UsageError
from preceptor.providers.policy import Permit, PolicyRefused, is_loopback
from preceptor.settings import ProviderSettings
from preceptor.versions import file_sha256

_TRIES = 8
_LONGEST_WAIT = 300.0  # seconds; a provider that asks for more is asked again after that
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/@-]{0,255}")


class ProviderFailed(PreceptorError):
    """The provider refused, or cannot be reached. `status` is HTTP's, 0 without an answer."""

    def __init__(self, text: str, status: int = 0) -> None:
        super().__init__(text)
        self.status = status


class Unclear(ProviderFailed):
    """Whether the provider did what it was asked is not known: it has to be looked for before it is asked again."""


class Connection:
    """One provider's API. A context manager.

    Raises `UsageError` if the environment does not hold the key. `sleep` takes seconds.
    """

    def __init__(self, settings: ProviderSettings, sleep: Callable[[float], None] = time.sleep) -> None:
        key = os.environ.get(settings.key_env, "").strip()
        if not key:
            raise UsageError(
                f"The environment variable {settings.key_env} is not set, and should hold the key for {settings.base_url} "
                "(rule key-missing). Set it where this command runs; no file holds it."
            )
        self.settings, self._sleep = settings, sleep
        headers = {"api-key": key} if settings.api == "azure" else {"Authorization": f"Bearer {key}"}
        self._client = httpx.Client(
            headers=headers,
            params={"api-version": settings.api_version} if settings.api == "azure" else {},
            timeout=httpx.Timeout(600, connect=30),
            follow_redirects=False,  # another address is another endpoint, which nobody has allowed
            trust_env=not is_loopback(settings.base_url),
        )

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def get(self, *route: str, **parameters: str | int) -> dict[str, Any]:
        """Ask, again and again where that may help. Raises `ProviderFailed`."""
        return self._call("GET", route, params=parameters)

    def delete(self, *route: str) -> None:
        """Delete; what is not there is no error."""
        try:
            self._call("DELETE", route)
        except ProviderFailed as error:
            if error.status != 404:
                raise

    def post(self, *route: str, body: Mapping[str, Any] | None = None, repeatable: bool) -> dict[str, Any]:
        """Ask for a deed. Raises `Unclear` where it may or may not have been done, unless it is `repeatable`."""
        return self._call("POST", route, repeatable=repeatable, json=dict(body or {}))

    def upload(self, permit: Permit, path: Path, name: str) -> dict[str, Any]:
        """Send a file for fine-tuning, from the disk as it goes. Raises `PolicyRefused` for one that is not permitted."""
        if permit.endpoint != self.settings.base_url or file_sha256(path) not in permit.files:
            raise PolicyRefused(
                "file-not-approved",
                f"Nothing was sent to {self.settings.base_url}: {name} is not the file that was approved (rule "
                "file-not-approved). The same command writes it anew.",
            )
        with path.open("rb") as stream:
            return self._call(
                "POST",
                ("files",),
                repeatable=False,
                data={"purpose": "fine-tune"},
                files={"file": (name, stream, "application/jsonl")},
            )

    def _url(self, route: tuple[str, ...]) -> str:
        base, api = self.settings.base_url, self.settings.api
        way = "/".join(quote(part, safe="") for part in route)
        if api == "azure" and route[0] == "chat":
            return f"{base}/openai/deployments/{quote(self.settings.deployment, safe='')}/{way}"
        return f"{base}/openai/{way}" if api == "azure" else f"{base}/{way}"

    def _call(
        self, method: str, route: tuple[str, ...], repeatable: bool = True, **content: Any
    ) -> dict[str, Any]:
        url, wait = self._url(route), self.settings.retry_seconds
        for left in reversed(range(_TRIES)):
            asked = None
            try:
                answer = self._client.request(method, url, **content)
            except httpx.ConnectError:
                why, status, unclear = "no connection", 0, False
            except httpx.TransportError as error:
                why, status, unclear = type(error).__name__, 0, True
            else:
                status = answer.status_code
                if answer.is_success:
                    return self._parsed(answer, repeatable)
                why = f"status {status}, {_code(answer)}"
                if status != 429 and status < 500:
                    raise ProviderFailed(self._refusal(why, status), status)
                asked, unclear = _retry_after(answer), status != 429
            if unclear and not repeatable:
                raise Unclear(self._silence(why), status)
            if content.get("files"):
                content["files"]["file"][1].seek(0)
            if left:
                self._sleep(min(_LONGEST_WAIT, wait if asked is None else asked))
                wait = min(60.0, 2 * wait)
        raise ProviderFailed(self._silence(why), status)

    def _parsed(self, answer: httpx.Response, repeatable: bool) -> dict[str, Any]:
        try:
            found = answer.json()
        except ValueError:
            found = None
        if isinstance(found, dict):
            return found
        kind = ProviderFailed if repeatable else Unclear
        raise kind(
            f"{self.settings.base_url} answered with something that is no JSON object (rule provider-protocol). Is "
            "base_url that of the API, and api the right one?",
            answer.status_code,
        )

    def _refusal(self, why: str, status: int) -> str:
        hint = (
            f"Is the key in {self.settings.key_env} the right one, and may it fine-tune?"
            if status in (401, 403)
            else "Are base_url, api, api_version and model those of the provider's documentation?"
        )
        return f"{self.settings.base_url} refused ({why}; rule provider-refused). {hint}"

    def _silence(self, why: str) -> str:
        return (
            f"{self.settings.base_url} does not answer as it should ({why}; rule provider-unreachable). A job that was begun "
            "there goes on without us; the same command follows it again."
        )


def named(value: Any, what: str) -> str:
    """An id or name that a provider gave. Raises `ProviderFailed` if it is no such thing."""
    if isinstance(value, str) and _NAME.fullmatch(value):
        return value
    raise ProviderFailed(
        f"The provider's answer has no usable {what} (rule provider-protocol). Does it speak OpenAI's fine-tuning API?"
    )


def code_of(error: Any) -> str:
    """The code of an error object, if it is one and not a sentence."""
    for key in ("code", "type"):
        value = error.get(key) if isinstance(error, dict) else None
        if isinstance(value, str) and _CODE.fullmatch(value):
            return value
    return "no code"


def _code(answer: httpx.Response) -> str:
    try:
        found = answer.json()
    except ValueError:
        return "no code"
    return code_of(found.get("error") if isinstance(found, dict) else None)


def _retry_after(answer: httpx.Response) -> float | None:
    """Seconds, however the header says it (RFC 9110, 10.2.3)."""
    said = answer.headers.get("Retry-After", "").strip()
    if said.replace(".", "", 1).isdigit():
        return float(said)
    try:
        return max(0.0, (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
