"""One request from its arrival to its rows in the logs: the state that streaming, refusing and logging share."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from preceptor.serving.backend import Ask, Loaded
from preceptor.serving.protocol import ChatRequest, Ending, Refusal, TextRequest
from preceptor.serving.rag import Citation
from preceptor.serving.traffic import Served

if TYPE_CHECKING:
    from starlette.requests import Request

    from preceptor.serving.gateway import Gateway

_OUTCOME_OF = {429: "rate-limited", 503: "shed", 504: "timeout", 500: "error"}


class Answering:
    """`outcome` is one of `traffic.OUTCOMES`, empty as long as the answer is being written."""

    def __init__(self, gateway: Gateway, endpoint: str, role: str = "served", pair_of: str = "") -> None:
        self._gateway, self._endpoint = gateway, endpoint
        kind = {"served": "chatcmpl" if endpoint == "chat" else "cmpl"}.get(role, "shadow")
        self.request_id = f"{kind}-{uuid.uuid4().hex}"
        self.role, self.pair_of = role, pair_of
        self.at, self.arrived = datetime.now(UTC).isoformat(timespec="milliseconds"), time.monotonic()
        self.created = int(time.time())
        self.key_id = self.alias = self.outcome = self.text = self.prompt = self.patient_id = ""
        self.status, self.tokens, self.first_token = 0, 0, 0.0
        self.stream = False
        self.labels: dict[str, Any] = dict.fromkeys(
            ("task", "note_type", "specialty", "language", "sex", "age_band"), ""
        )
        self.loaded: Loaded | None = None
        self.ask: Ask | None = None
        self.again: ChatRequest | TextRequest | None = None
        self._citations: list[Citation] = []
        self._logged = False

    def describe(self, asked: ChatRequest | TextRequest) -> None:
        """Take what the request says of its case; labels only from the closed lists."""
        settings = self._gateway.settings
        lists = settings.serving.labels.model_dump() | {"task": settings.curation.tasks}
        given = dict(asked.metadata)
        if isinstance(asked, ChatRequest) and asked.task:
            given["task"] = asked.task
        for name, known in lists.items():
            if value := given.get(name, ""):
                self.labels[name] = value.lower() if value.lower() in known else "other"
        self.patient_id, self.stream, self.again = given.get("patient_id", ""), asked.stream, asked
        if isinstance(asked, ChatRequest):
            self.prompt = "\n\n".join(m.content for m in asked.messages)
        else:
            self.prompt = asked.prompt if isinstance(asked.prompt, str) else ""

    def asked(self, loaded: Loaded, ask: Ask, citations: list[Citation]) -> None:
        self.loaded, self.ask, self._citations = loaded, ask, citations
        if not self.prompt and isinstance(self.again, TextRequest):
            self.prompt = loaded.tokenizer.decode(list(ask.ids))

    async def begin(self, request: Request) -> AsyncIterator[str]:
        """Wait for the first token, so that a refusal still has a status of its own; return the text from there on."""
        pieces = self._pieces(request)
        try:
            first = await anext(pieces)
        except StopAsyncIteration:
            first = ""
        if self.outcome in ("shed", "error", "timeout"):
            raise closing_outcome(self) or Refusal(500, "internal_error", "The answer could not be written.")

        async def rest() -> AsyncIterator[str]:
            try:
                yield first
                async for text in pieces:
                    yield text
            finally:
                await pieces.aclose()  # type: ignore[attr-defined]

        return rest()

    async def _pieces(self, request: Request | None) -> AsyncIterator[str]:
        """The text as it comes. A client that goes away ends the writing at once."""
        assert self.loaded and self.ask
        source = self._gateway.backend.write(self.loaded, self.ask)
        gone = asyncio.create_task(_gone(request)) if request else None
        try:
            while not self.outcome:
                coming = asyncio.ensure_future(anext(source))
                waits = {coming, gone} if gone else {coming}
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
                if gone and gone.done() and not coming.done():
                    coming.cancel()
                    await asyncio.wait({coming})
                    self.outcome = "disconnected"
                    return
                piece = coming.result()
                if piece.tokens and not self.first_token:
                    self.first_token = time.monotonic()
                self.tokens, self.text = piece.tokens, self.text + piece.text
                self.outcome = "error" if piece.reason == "cancelled" else piece.reason
                yield piece.text
        finally:
            if gone:
                gone.cancel()
            await source.aclose()  # type: ignore[attr-defined]

    async def refused(self, refusal: Refusal) -> None:
        self.status = refusal.status
        self.outcome = self.outcome or _OUTCOME_OF.get(refusal.status, "rejected")
        await self.log()

    async def close(self, pieces: AsyncIterator[str]) -> None:
        """The end of a stream, however it came."""
        await pieces.aclose()  # type: ignore[attr-defined]
        self.outcome = self.outcome or "disconnected"
        await self.log()

    async def log(self) -> None:
        """Write the rows, once, and let the shadow answer."""
        if self._logged:
            return
        self._logged = True
        served = self.row()
        self._gateway.metrics.count(served)
        kept = self.prompt if self.loaded else ""
        await self._gateway.scribe.write(served, kept, self.text, self.patient_id)
        if self.outcome in ("stop", "length"):
            self._gateway.shadow(self)

    def row(self) -> Served:
        begun = self.ask.begun if self.ask and self.ask.begun else 0.0
        return Served(
            request_id=self.request_id,
            at=self.at,
            endpoint=self._endpoint,
            role=self.role,
            pair_of=self.pair_of,
            version=self.loaded.name if self.loaded else "",
            alias=self.alias,
            key_id=self.key_id,
            status=self.status,
            outcome=self.outcome,
            stream=self.stream,
            **self.labels,
            prompt_tokens=len(self.ask.ids) if self.ask else 0,
            new_tokens=self.tokens,
            prompt_characters=len(self.prompt),
            answer_characters=len(self.text),
            retrieved=len(self._citations),
            queue_seconds=round(begun - self.arrived, 4) if begun else 0.0,
            first_token_seconds=round(self.first_token - self.arrived, 4) if self.first_token else 0.0,
            seconds=round(time.monotonic() - self.arrived, 4),
        )

    async def shadowed(self, ref: str) -> None:
        """Answer the same request as the shadow; nothing of it is shown. Left out when others wait."""
        from preceptor.serving.gateway import prompt_ids

        assert self.again is not None and self.ask is not None
        with self._gateway.follower.using(ref) as loaded:
            if loaded is None or (self.loaded and loaded.name == self.loaded.name):
                return
            other = Answering(self._gateway, self._endpoint, "shadow", self.request_id)
            other.describe(self.again)
            other.key_id, other.alias, other.stream = self.key_id, ref.rpartition("@")[2], False
            ask = Ask(
                prompt_ids(self.again, loaded, self._citations),
                self.ask.max_new_tokens,
                self.ask.sampling,
                self.ask.stop,
                self.key_id,
                spare=True,
                seconds=self.ask.seconds,
            )
            other.asked(loaded, ask, self._citations)
            async for _ in other._pieces(None):
                pass
            await other.log()

    # the bodies of OpenAI's API

    def body(self) -> dict[str, Any]:
        choice: dict[str, Any] = {"index": 0, "finish_reason": self.outcome, "logprobs": None}
        if self._endpoint == "chat":
            choice["message"] = {"role": "assistant", "content": self.text}
        else:
            choice["text"] = self.text
        return self._base("") | {"choices": [choice], "usage": self._ending().usage()} | self._ours()

    def opening(self) -> dict[str, Any]:
        if self._endpoint == "chat":
            return self._chunk({"delta": {"role": "assistant", "content": ""}}) | self._ours()
        return self._chunk({"text": ""}) | self._ours()

    def chunk(self, text: str) -> dict[str, Any]:
        return self._chunk({"delta": {"content": text}} if self._endpoint == "chat" else {"text": text})

    def end(self) -> dict[str, Any]:
        body: dict[str, Any] = {"delta": {}} if self._endpoint == "chat" else {"text": ""}
        return self._chunk(body, self.outcome)

    def usage(self) -> dict[str, Any]:
        return self._base(".chunk") | {"choices": [], "usage": self._ending().usage()}

    def _chunk(self, what: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "finish_reason": reason, "logprobs": None} | what
        return self._base(".chunk") | {"choices": [choice]}

    def _base(self, suffix: str) -> dict[str, Any]:
        assert self.loaded
        chat = self._endpoint == "chat"
        return {
            "id": self.request_id,
            "object": f"chat.completion{suffix}" if chat else "text_completion",
            "created": self.created,
            "model": self.loaded.name,
            "system_fingerprint": f"fp_{self.loaded.version.info.digest[:12]}",
        }

    def _ours(self) -> dict[str, Any]:
        assert self.loaded
        facts: dict[str, Any] = {"version": self.loaded.name, "draft": True}
        if isinstance(self.again, ChatRequest) and self.again.rag:
            facts["citations"] = [citation.facts() for citation in self._citations]
        return {"preceptor": facts}

    def _ending(self) -> Ending:
        return Ending(self.outcome, len(self.ask.ids) if self.ask else 0, self.tokens)


def closing_outcome(answering: Answering) -> Refusal | None:
    """What a client is told of an answer that did not end well; None for one that did."""
    match answering.outcome:
        case "shed":
            return Refusal(503, "overloaded", "Too many requests wait; try again later.", 5)
        case "timeout":
            return Refusal(504, "timeout", "The answer was not ready in time.", 10)
        case "error":
            return Refusal(500, "internal_error", "The answer could not be written.")
    return None


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
