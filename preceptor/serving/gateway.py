"""The server: OpenAI's API over the versions that the follower holds. It checks, limits, asks, streams and logs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from preceptor.providers.policy import is_loopback
from preceptor.serving.answering import Answering, closing_outcome
from preceptor.serving.api_keys import ApiKey, ApiKeys
from preceptor.serving.backend import Ask, Backend, Loaded
from preceptor.serving.follower import Follower
from preceptor.serving.limits import RateLimiter
from preceptor.serving.metrics import Metrics
from preceptor.serving.prompts import chat_ids, text_ids
from preceptor.serving.protocol import ChatRequest, FeedbackRequest, Refusal, TextRequest, parsed
from preceptor.serving.rag import Cases, Citation
from preceptor.serving.scribe import Scribe
from preceptor.settings import Settings

_log = logging.getLogger(__name__)
_BODY_SECONDS = 15.0


class Gateway:
    """One server. `cases` are what RAG shows, None where `--rag` was not given; `tasks` are those a request may name."""

    def __init__(
        self,
        settings: Settings,
        follower: Follower,
        backend: Backend,
        keys: ApiKeys,
        scribe: Scribe,
        metrics: Metrics,
        cases: Callable[[Loaded], Cases] | None = None,
    ) -> None:
        self.settings, self.follower, self.backend, self.keys = settings, follower, backend, keys
        self.scribe, self.metrics, self._cases = scribe, metrics, cases
        self._limiter = RateLimiter()
        self._shadows: set[asyncio.Task[None]] = set()

    def app(self) -> Starlette:
        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            await self.scribe.start()
            yield
            if self._shadows:
                await asyncio.wait(self._shadows, timeout=5)
            await self.scribe.close()

        return Starlette(
            lifespan=lifespan,
            routes=[
                Route("/v1/chat/completions", self._guarded(self._chat), methods=["POST"]),
                Route("/v1/completions", self._guarded(self._text), methods=["POST"]),
                Route("/v1/feedback", self._guarded(self._feedback), methods=["POST"]),
                Route("/v1/models", self._guarded(self._models)),
                Route("/metrics", self._guarded(self._show_metrics)),
                Route("/health", self._guarded(self._ready)),
                Route("/health/live", self._guarded(self._live)),
                Route("/health/ready", self._guarded(self._ready)),
            ],
        )

    def ready(self) -> bool:
        """Whether the main alias has a version in memory, and answers can be written and logged."""
        main = self.follower.get(self.follower.plan.main)
        return main is not None and self.backend.alive() and self.scribe.whole

    # what is asked

    async def _chat(self, request: Request) -> Response:
        return await self._answer(request, "chat", ChatRequest)

    async def _text(self, request: Request) -> Response:
        return await self._answer(request, "completions", TextRequest)

    async def _answer(
        self, request: Request, endpoint: str, kind: type[ChatRequest | TextRequest]
    ) -> Response:
        answering = Answering(self, endpoint)
        try:
            key = self._admitted(request, "chat" if endpoint == "chat" else "completions")
            answering.key_id = key.id if key else ""
            self._limit(key)
            asked = parsed(kind, await self._body(request))
            answering.describe(asked)
            ref, role = self._whom(asked, key)
            answering.role, answering.alias = role, ref.rpartition("@")[2] if "@" in ref else ""
            stack = contextlib.ExitStack()
            try:
                loaded = stack.enter_context(self.follower.using(ref))
                if loaded is None:
                    raise Refusal(503, "no_version", f"{ref} stands for no version that may answer now.", 10)
                citations = self._shown(asked, loaded, key)
                ask = self._ask(asked, loaded, citations, answering)
                answering.asked(loaded, ask, citations)
                first = await answering.begin(request)
            except BaseException:
                stack.close()
                raise
            if asked.stream:
                answering.status = 200
                stream = self._streamed(answering, first, asked, stack)
                headers = {"X-Request-Id": answering.request_id, "Cache-Control": "no-store"}
                return StreamingResponse(stream, media_type="text/event-stream", headers=headers)
            try:
                return await self._whole(answering, first)
            finally:
                stack.close()
        except Refusal as refusal:
            await answering.refused(refusal)
            raise

    def _whom(self, asked: ChatRequest | TextRequest, key: ApiKey | None) -> tuple[str, str]:
        plan = self.follower.plan
        name, _, _ = plan.main.partition("@")
        if asked.model in ("", name, plan.main, name.partition("/")[0]):
            sticky = f"{key.id if key else ''}/{asked.user or ''}"
            if plan.takes_canary(sticky) and self.follower.get(plan.canary):
                return plan.canary, "canary"
            return plan.main, "served"
        if asked.model in plan.also:
            return asked.model, "served"
        raise Refusal(404, "model_not_found", "There is no such model here; /v1/models lists what there is.")

    def _shown(self, asked: ChatRequest | TextRequest, loaded: Loaded, key: ApiKey | None) -> list[Citation]:
        if not isinstance(asked, ChatRequest) or not asked.rag:
            return []
        if key is not None and "rag" not in key.scopes:
            raise Refusal(403, "scope_missing", "This key does not have the scope rag.")
        if self._cases is None:
            raise Refusal(
                400, "unsupported_parameter", "rag is not offered here: the server runs without --rag."
            )
        cases = self._cases(loaded)
        task = asked.task or asked.metadata.get("task", "")
        if task not in cases.tasks:
            raise Refusal(400, "invalid_value", f"rag needs task, one of {', '.join(cases.tasks)}.")
        last = next((m.content for m in reversed(asked.messages) if m.role == "user"), "")
        return cases.nearest(task, last, self.settings.serving.rag_documents)

    def _ask(
        self,
        asked: ChatRequest | TextRequest,
        loaded: Loaded,
        citations: list[Citation],
        answering: Answering,
    ) -> Ask:
        limits = self.settings.serving
        ids = prompt_ids(asked, loaded, citations)
        limit = min(limits.max_prompt_tokens, loaded.context - 1)
        if len(ids) > limit:
            text = f"The prompt takes {len(ids)} tokens; at most {limit} are read. Nothing was cut."
            raise Refusal(400, "context_length_exceeded", text)
        wanted = getattr(asked, "max_completion_tokens", None) or asked.max_tokens
        if wanted and wanted > limits.max_new_tokens:
            raise Refusal(400, "invalid_value", f"max_tokens may be at most {limits.max_new_tokens}.")
        room = min(wanted or limits.max_new_tokens, loaded.context - len(ids))
        return Ask(
            ids,
            room,
            asked.sampling,
            tuple(asked.stops),
            answering.key_id,
            seconds=limits.max_seconds,
            arrived=answering.arrived,
        )

    # what is answered

    async def _whole(self, answering: Answering, first: AsyncIterator[str]) -> Response:
        async for _ in first:
            pass
        if answering.outcome == "disconnected":
            await answering.log()
            return Response(status_code=499)
        if refusal := closing_outcome(answering):
            raise refusal
        answering.status = 200
        await answering.log()
        return JSONResponse(answering.body(), headers={"X-Request-Id": answering.request_id})

    async def _streamed(
        self,
        answering: Answering,
        pieces: AsyncIterator[str],
        asked: ChatRequest | TextRequest,
        stack: contextlib.ExitStack,
    ) -> AsyncIterator[bytes]:
        try:
            yield _event(answering.opening())
            async for text in pieces:
                if text:
                    yield _event(answering.chunk(text))
            if refusal := closing_outcome(answering):
                yield _event(refusal.body())
            else:
                yield _event(answering.end())
                if asked.wants_usage:
                    yield _event(answering.usage())
            yield b"data: [DONE]\n\n"
        except (asyncio.CancelledError, GeneratorExit):
            answering.outcome = "disconnected"
            raise
        finally:
            stack.close()
            with contextlib.suppress(RuntimeError):
                await asyncio.shield(answering.close(pieces))

    def shadow(self, answering: Answering) -> None:
        """Let the shadow answer the same, if there is one and time for it; nobody waits for that."""
        ref = self.follower.plan.shadow
        if ref and answering.role != "shadow" and answering.again is not None:
            task = asyncio.create_task(answering.shadowed(ref))
            self._shadows.add(task)
            task.add_done_callback(self._shadows.discard)

    # the rest

    async def _feedback(self, request: Request) -> Response:
        key = self._admitted(request, "feedback")
        self._limit(key)
        given = parsed(FeedbackRequest, await self._body(request))
        if given.rating is None and given.final is None:
            raise Refusal(400, "invalid_value", "Send rating, final, or both.")
        if not await self.scribe.feedback(given.request_id, given.rating, given.final):
            raise Refusal(404, "request_not_found", "There is no such answer in the log.")
        return JSONResponse({"noted": True})

    async def _models(self, request: Request) -> Response:
        self._admitted(request, None)
        plan = self.follower.plan
        rows = []
        for ref in dict.fromkeys((plan.main, *plan.also)):
            loaded = self.follower.get(ref)
            if loaded:
                info = loaded.version.info
                created = int(datetime.fromisoformat(info.created).timestamp())
                rows.append(
                    {
                        "id": ref,
                        "object": "model",
                        "created": created,
                        "owned_by": "preceptor",
                        "version": info.ref,
                    }
                )
        return JSONResponse({"object": "list", "data": rows})

    async def _show_metrics(self, request: Request) -> Response:
        self._admitted(request, "metrics")
        return Response(self.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def _live(self, request: Request) -> Response:
        alive = self.backend.alive()
        return JSONResponse({"live": alive}, status_code=200 if alive else 503)

    async def _ready(self, request: Request) -> Response:
        main = self.follower.get(self.follower.plan.main)
        ready = self.ready()
        trouble = sorted(self.follower.trouble)
        facts = {
            "ready": ready,
            "version": main.name if main else None,
            "logs": self.scribe.whole,
            "trouble": trouble,
        }
        return JSONResponse(facts, status_code=200 if ready else 503)

    def _admitted(self, request: Request, scope: str | None) -> ApiKey | None:
        """The key of a request. As long as no key was ever made only this machine may ask, by its own name (a page of the web
        in a browser here cannot: DNS rebinding)."""
        if not self.keys.in_use():
            if not is_loopback(f"http://{request.headers.get('host', '')}"):
                raise Refusal(403, "host_not_allowed", "Without API keys only localhost is answered.")
            return None
        scheme, _, sent = request.headers.get("authorization", "").partition(" ")
        key = self.keys.find(sent.strip()) if scheme.lower() == "bearer" else None
        if key is None:
            raise Refusal(401, "invalid_api_key", "Send a valid key as `Authorization: Bearer KEY`.")
        if scope and scope not in key.scopes:
            raise Refusal(403, "scope_missing", f"This key does not have the scope {scope}.")
        return key

    def _limit(self, key: ApiKey | None) -> None:
        usual = self.settings.serving.requests_per_minute
        wait = self._limiter.wait(key.id if key else "", (key.requests_per_minute if key else 0) or usual)
        if wait:
            raise Refusal(
                429, "rate_limit_exceeded", "Too many requests with this key; try again later.", wait
            )

    async def _body(self, request: Request) -> bytes:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Refusal(415, "unsupported_media_type", "Send the body as application/json.")
        most = self.settings.serving.max_body_kb * 1024
        too_large = Refusal(413, "request_too_large", f"The body may have at most {most // 1024} kB.")
        if int(request.headers.get("content-length") or 0) > most:
            raise too_large
        body = bytearray()
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > most:
                        raise too_large
        except TimeoutError:
            raise Refusal(
                408, "request_timeout", f"The body took more than {_BODY_SECONDS:.0f} seconds."
            ) from None
        return bytes(body)

    def _guarded(
        self, handle: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Refusals as OpenAI's clients know them; of anything unforeseen only the type is told, for its message may hold
        text."""

        async def guarded(request: Request) -> Response:
            try:
                return await handle(request)
            except Refusal as refusal:
                headers = {}
                if refusal.retry_after is not None:
                    headers["Retry-After"] = str(max(1, round(refusal.retry_after + 0.5)))
                if refusal.status == 401:
                    headers["WWW-Authenticate"] = "Bearer"
                return JSONResponse(refusal.body(), status_code=refusal.status, headers=headers)
            except ClientDisconnect:
                return Response(status_code=499)
            except Exception as error:
                _log.error("unexpected %s in %s", type(error).__name__, request.url.path)
                body = Refusal(500, "internal_error", "The server failed at this request.").body()
                return JSONResponse(body, status_code=500)

        return guarded


def prompt_ids(
    asked: ChatRequest | TextRequest, loaded: Loaded, citations: list[Citation]
) -> tuple[int, ...]:
    """What the model reads. Raises `Refusal` for ids that are no tokens, or a chat that the template does not take."""
    if isinstance(asked, TextRequest):
        if isinstance(asked.prompt, str):
            ids = text_ids(loaded.tokenizer, asked.prompt)
        else:
            ids = tuple(asked.prompt)
            if any(not 0 <= token < len(loaded.tokenizer) for token in ids):
                raise Refusal(400, "invalid_value", "prompt: a number that is no token of this model.")
        if not ids:
            raise Refusal(400, "invalid_value", "prompt: it is empty.")
        return ids
    if not any(m.role == "user" for m in asked.messages):
        raise Refusal(400, "invalid_value", "messages: one of the role user is needed.")
    messages = [{"role": m.role, "content": m.content} for m in asked.messages]
    try:
        return chat_ids(loaded.tokenizer, messages, [c.text for c in citations])
    except Exception as error:  # jinja's errors and those that a template raises itself
        text = f"messages: this model's chat template does not take them ({type(error).__name__})."
        raise Refusal(400, "invalid_value", text) from None


def _event(body: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(body, ensure_ascii=False)}\n\n".encode()
