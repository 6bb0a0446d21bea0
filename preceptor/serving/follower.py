"""The thread that follows the aliases: a new version is loaded beside the old one, takes over, and the old one leaves when
its last answer is written. No request is dropped for it."""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from preceptor.errors import GateRefused, PreceptorError, UsageError
from preceptor.release.registry import Tracking, parse_ref, resolve
from preceptor.release.store import Store
from preceptor.serving.backend import Backend, Loaded
from preceptor.serving.versions import require_fit, served
from preceptor.settings import Workspace

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """Who answers: `main` is followed by everybody; `canary` takes `share` of the keys; `shadow` answers beside, unseen.
    All are `NAME@ALIAS` or `NAME/VERSION`. `also`: others that a request may name."""

    main: str
    shadow: str = ""
    canary: str = ""
    share: float = 0.0
    also: tuple[str, ...] = ()

    @property
    def refs(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(r for r in (self.main, self.canary, self.shadow, *self.also) if r))

    def takes_canary(self, sticky: str) -> bool:
        """Whether the owner of a key is among the canary's, the same at every request.

        >>> plan = Plan("m@champion", canary="m@candidate", share=0.25)
        >>> sum(plan.takes_canary(str(n)) for n in range(4000)) // 100
        10
        """
        if not self.canary:
            return False
        drawn = hashlib.sha256(f"{self.canary} {sticky}".encode()).digest()[:8]
        return int.from_bytes(drawn, "big") < self.share * 2**64


class Follower:
    """Holds what each reference stands for now. `start` loads the first versions and raises what keeps them away."""

    def __init__(
        self,
        plan: Plan,
        tracking: Tracking,
        open_store: Callable[[], Store],
        workspace: Workspace,
        backend: Backend,
        seconds: float,
        on_swap: Callable[[Loaded], None] = lambda _: None,
    ) -> None:
        self.plan = plan
        self._tracking, self._open_store, self._workspace = tracking, open_store, workspace
        self._backend, self._seconds = backend, seconds
        self._on_swap = on_swap
        self._now: dict[str, Loaded] = {}
        self._leaving: list[Loaded] = []
        self._users: Counter[str] = Counter()  # requests that a version is answering, by its name
        self.trouble: dict[str, str] = {}  # reference -> why it is not what its alias says
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._started = threading.Event()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)

    def start(self) -> None:
        self._thread.start()
        self._started.wait()
        if self._failed:
            raise self._failed

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=30)

    def get(self, ref: str) -> Loaded | None:
        """What answers for a reference now."""
        with self._lock:
            return self._now.get(ref)

    @contextmanager
    def using(self, ref: str) -> Iterator[Loaded | None]:
        """The same for the time of a request: the version stays until the block has ended."""
        with self._lock:
            loaded = self._now.get(ref)
            if loaded:
                self._users[loaded.name] += 1
        try:
            yield loaded
        finally:
            if loaded:
                with self._lock:
                    self._users[loaded.name] -= 1

    def present(self) -> dict[str, Loaded]:
        with self._lock:
            return dict(self._now)

    def _run(self) -> None:
        try:
            store = self._open_store()
        except BaseException as error:
            self._failed = error
            self._started.set()
            return
        try:
            for ref in self.plan.refs:
                try:
                    self._follow(store, ref)
                except PreceptorError as error:
                    if ref in (self.plan.main, *self.plan.also):
                        raise
                    self.trouble[ref] = str(error)  # no candidate yet: the champion answers by itself
        except BaseException as error:
            self._failed = error
            self._started.set()
            return
        self._started.set()
        while not self._stop.wait(self._seconds):
            for ref in self.plan.refs:
                try:
                    self._follow(store, ref)
                    self.trouble.pop(ref, None)
                except Exception as error:
                    self._refused(ref, error)
            self._let_go()
        store.close()

    def _follow(self, store: Store, ref: str) -> None:
        info = resolve(self._tracking, ref)
        now = self.get(ref)
        if now and now.version.info.ref == info.ref:
            require_fit(store, info)
            return
        known = (*self.present().values(), *self._leaving)
        same = next((x for x in known if x.version.info.ref == info.ref), None)
        if same:
            require_fit(store, info)
        took_over = same or self._load(store, ref)
        with self._lock:
            self._now[ref] = took_over
        if now:
            self._leave(now)
            _log.warning("%s is now %s (was %s)", ref, took_over.version.info.ref, now.version.info.ref)
            self._on_swap(took_over)

    def _load(self, store: Store, ref: str) -> Loaded:
        return self._backend.load(served(self._tracking, store, self._workspace, ref))

    def _refused(self, ref: str, error: Exception) -> None:
        """A version that may not be used stops at once; for any other reason what answers now goes on."""
        said = str(error) if isinstance(error, PreceptorError) else f"unexpected {type(error).__name__}"
        if self.trouble.get(ref) != said:
            _log.error("%s: %s", ref, said)
        self.trouble[ref] = said
        now = self.get(ref)
        if now is None:
            return
        gone = isinstance(error, UsageError) and ref in (self.plan.canary, self.plan.shadow)
        if gone or (isinstance(error, GateRefused) and self._is_barred(now)):
            with self._lock:
                self._now.pop(ref, None)
            self._leave(now)

    def _is_barred(self, now: Loaded) -> bool:
        try:
            store = self._open_store()
            try:
                require_fit(store, now.version.info)
            finally:
                store.close()
        except GateRefused:
            return True
        return False

    def _leave(self, old: Loaded) -> None:
        if old not in self._leaving:
            self._leaving.append(old)

    def _let_go(self) -> None:
        """Take those out of memory that nobody is asking any more."""
        kept = []
        for old in self._leaving:
            with self._lock:
                in_use = any(x is old for x in self._now.values())
                busy = self._users[old.name] > 0
            if in_use:
                continue  # it came back meanwhile
            if busy:
                kept.append(old)
            else:
                self._backend.release(old)
        self._leaving = kept


def full_refs(name: str, refs: Sequence[str]) -> list[str]:
    """References as they may be given on the command line: an alias alone is one of the model `name`."""
    found = [ref if ("/" in ref or "@" in ref) else f"{name}@{ref}" for ref in refs]
    for ref in found:
        parse_ref(ref)
    return found
