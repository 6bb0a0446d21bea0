"""What writes answers: this process's engine here, a vLLM server in `preceptor.serving.vllm`. The gateway knows no more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from preceptor.serving.engine import Engine, Overloaded
from preceptor.serving.lanes import Job, lane_of
from preceptor.serving.pieces import TextStream
from preceptor.serving.sampling import Sampling
from preceptor.serving.sharing import SharedBases
from preceptor.serving.versions import Version


@dataclass(frozen=True, slots=True)
class Loaded:
    """A version that can be asked. `context`: tokens that prompt and answer may take together."""

    version: Version
    tokenizer: Any
    context: int

    @property
    def name(self) -> str:
        return self.version.info.ref


@dataclass(slots=True)
class Ask:
    """One prompt. `spare` may be left out when there is much to do; `begun` is filled in (monotonic)."""

    ids: tuple[int, ...]
    max_new_tokens: int
    sampling: Sampling = Sampling()
    stop: tuple[str, ...] = ()
    tenant: str = ""
    spare: bool = False
    seconds: float = 300.0
    arrived: float = field(default_factory=time.monotonic)
    begun: float = 0.0


@dataclass(frozen=True, slots=True)
class Piece:
    """New text, how many tokens have been written so far, and at the end why: stop, length, shed, timeout, error."""

    text: str
    tokens: int
    reason: str = ""


class Backend(Protocol):
    """`write` yields pieces, the last one with a reason; closing the iterator ends the writing."""

    def load(self, version: Version) -> Loaded: ...
    def release(self, loaded: Loaded) -> None: ...
    def write(self, loaded: Loaded, ask: Ask) -> AsyncIterator[Piece]: ...
    def depth(self) -> tuple[int, int]: ...
    def alive(self) -> bool: ...
    def stop(self) -> None: ...


class LocalBackend:
    """Transformers models in this process."""

    def __init__(self, bases: SharedBases, *, rows: int, queue: int, queue_seconds: float) -> None:
        self.bases, self._rows = bases, rows
        self.engine = Engine(queue, queue_seconds)

    def load(self, version: Version) -> Loaded:
        loaded = self.bases.load(version.model)
        self.engine.add(version.info.ref, lane_of(loaded, self._rows))
        context = int(getattr(loaded.model.config, "max_position_embeddings", 0) or 2**31)
        return Loaded(version, loaded.tokenizer, context)

    def release(self, loaded: Loaded) -> None:
        self.engine.remove(loaded.name)
        self.bases.release(loaded.version.model)

    async def write(self, loaded: Loaded, ask: Ask) -> AsyncIterator[Piece]:
        loop, events = asyncio.get_running_loop(), asyncio.Queue[tuple[int | None, str]]()

        def emit(token: int | None, reason: str) -> None:
            loop.call_soon_threadsafe(events.put_nowait, (token, reason))

        job = Job(ask.ids, ask.max_new_tokens, ask.sampling, emit, ask.tenant, ask.spare, ask.arrived)
        try:
            self.engine.submit(loaded.name, job)
        except Overloaded:
            yield Piece("", 0, "shed")
            return
        text, count = TextStream(loaded.tokenizer, ask.stop), 0
        try:
            while True:
                try:
                    left = ask.arrived + ask.seconds - time.monotonic()
                    token, reason = await asyncio.wait_for(events.get(), timeout=max(0.0, left))
                except TimeoutError:
                    yield Piece(text.finish(), count, "timeout")
                    return
                ask.begun = job.begun
                if token is None:
                    yield Piece(text.finish(), count, reason)
                    return
                count += 1
                piece = text.push(token)
                if text.stopped:
                    yield Piece(piece, count, "stop")
                    return
                yield Piece(piece, count)
        finally:
            job.cancelled.set()

    def depth(self) -> tuple[int, int]:
        return self.engine.depth()

    def alive(self) -> bool:
        return self.engine.alive()

    def stop(self) -> None:
        self.engine.stop()
