"""A promotion or a rollback from end to end: fit data, smoke prompts, the aliases, and whether the servers have followed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from preceptor.errors import GateRefused
from preceptor.release import promotion
from preceptor.release.intents import Promotion
from preceptor.release.registry import Tracking
from preceptor.release.stage import require_usable_data, validity
from preceptor.release.store import Store
from preceptor.serving.smoke import smoke_of
from preceptor.settings import ReleaseSettings, Settings, Workspace

VERIFIED, UNVERIFIED = "serving_verified", "serving_unverified"
_PAUSE = 0.5  # seconds between two looks at a server
_PATIENCE = 5.0  # seconds for one look


@dataclass(frozen=True, slots=True)
class Rollout:
    """What came of it. `smoke`: the facts of the smoke prompts, None where none were asked. `serving`: server -> what it said
    last, empty if all report the champion, None if the settings name none. `back`: the rollback that followed from that."""

    done: Promotion
    smoke: dict[str, Any] | None
    serving: dict[str, str] | None
    back: Promotion | None = None

    def facts(self) -> dict[str, Any]:
        """The same as a JSON-able mapping; without what does not apply."""
        more = {"smoke": self.smoke, "not_serving": self.serving, "back": self.back and asdict(self.back)}
        return asdict(self.done) | {key: value for key, value in more.items() if value is not None}

    def said(self) -> list[str]:
        """A line for each thing beside the champion that a person should know."""
        lines = []
        if self.smoke and not self.smoke["asked"]:
            lines.append(f"No smoke prompts were asked: {self.smoke['why']}.")
        elif self.smoke:
            compared = f"{self.smoke['compared']} of them evaluated cases"
            lines.append(f"Its files answered {self.smoke['asked']} smoke prompts, {compared}.")
        if self.serving == {}:
            lines.append("Every server reports it.")
        elif self.serving:
            lines += [f"Not served: {url} {what}." for url, what in self.serving.items()]
            lines.append(
                f"Rolled back for that: {self.back.champion} is the champion again."
                if self.back
                else "The champion stays; see to the servers, or go back with `preceptor release rollback`."
            )
        return lines


def roll_out(
    workspace: Workspace, settings: Settings, tracking: Tracking, store: Store, ref: str, *, actor: str
) -> Rollout:
    """Make an approved version the champion, and see that the servers follow.

    Raises what `promote` raises, and `GateRefused` for one that learned from a patient who has opted out since.
    """
    require_usable_data(workspace, settings, tracking, ref)
    now = settings.release
    done = promotion.promote(
        tracking,
        store,
        ref,
        required=now.required_approvals,
        validity=validity(settings),
        actor=actor,
        smoke=smoke_of(workspace, settings, tracking, store),
    )
    serving, event = verify(now, store, done, actor)
    back = None
    if serving and now.on_unserved == "roll_back":
        reason = f"not served within {now.verify_seconds:.0f} s (event {event})"
        try:
            back = _back(settings, tracking, store, actor, reason)
        except GateRefused:  # there is nothing to go back to
            back = None
        else:
            verify(now, store, back, actor)
    return Rollout(done, _smoke_of(store, done), serving, back)


def roll_back(
    workspace: Workspace,
    settings: Settings,
    tracking: Tracking,
    store: Store,
    *,
    actor: str,
    reason: str,
    to: str | None = None,
) -> Rollout:
    """Make an earlier champion the champion again. Raises what `rollback` raises. Smoke prompts are asked only with
    `release.smoke_on_rollback`: going back must take seconds, and these files have been in use."""
    smoke = smoke_of(workspace, settings, tracking, store) if settings.release.smoke_on_rollback else None
    done = _back(settings, tracking, store, actor, reason, to=to, smoke=smoke)
    serving, _ = verify(settings.release, store, done, actor)
    return Rollout(done, _smoke_of(store, done), serving)


def _back(
    settings: Settings, tracking: Tracking, store: Store, actor: str, reason: str, **more: Any
) -> Promotion:
    return promotion.rollback(
        tracking,
        store,
        settings.release.model_name,
        required=settings.release.required_approvals,
        validity=validity(settings),
        actor=actor,
        reason=reason,
        **more,
    )


def verify(
    settings: ReleaseSettings, store: Store, done: Promotion, actor: str
) -> tuple[dict[str, str] | None, int | None]:
    """Wait until every server of `release.verify_serving` reports the champion, and record how that ended.

    Returns what those said that did not (see `Rollout`), and the event. What was verified before is not again: so one that was
    killed while it waited is made good by the same call.
    """
    if not settings.verify_serving:
        return None, None
    deeds = store.events(subject=done.champion, kinds=("promoted", "rolled_back"))
    deed = done.event or (deeds[-1].id if deeds else None)
    for event in store.events(subject=done.champion, kinds=(VERIFIED,)):
        if event.payload["deed"] == deed:
            return {}, event.id
    started = time.monotonic()
    missing = await_version(settings.verify_serving, done.champion, settings.verify_seconds)
    waited = round(time.monotonic() - started, 2)
    payload: dict[str, Any] = {
        "deed": deed,
        "seconds": waited,
        "servers": list(settings.verify_serving),
    }
    if missing:
        payload["missing"] = missing
    event = store.append(UNVERIFIED if missing else VERIFIED, done.champion, actor, payload)
    return missing, event.id


def await_version(servers: Sequence[str], ref: str, seconds: float) -> dict[str, str]:
    """Look at `/health` of every server until all report the version `ref`; return what the others said when time was over."""
    deadline = time.monotonic() + seconds
    missing = dict.fromkeys(servers, "")
    while True:
        missing = {url: said for url in missing if (said := _state(url, ref))}
        if not missing or time.monotonic() + _PAUSE > deadline:
            return missing
        time.sleep(_PAUSE)


def _state(url: str, ref: str) -> str:
    """Empty if the server answers with the version; else what it does instead."""
    import httpx

    try:
        answer = httpx.get(f"{url.rstrip('/')}/health", timeout=_PATIENCE)
        body = answer.json()
        version, ready = str(body["version"]), bool(body["ready"])
    except httpx.HTTPError as error:
        return f"was not reached ({type(error).__name__})"
    except (ValueError, KeyError, TypeError):
        return f"answered {answer.status_code}, and not as a Preceptor server does"
    if version == ref:
        return "" if ready else f"holds {ref}, but is not ready"
    return f"reports {version}"


def _smoke_of(store: Store, done: Promotion) -> dict[str, Any] | None:
    """What the record says of the smoke prompts before a deed."""
    if done.event is None:
        return None
    (deed,) = store.events(since=done.event - 1)[:1]
    return deed.payload.get("smoke")
