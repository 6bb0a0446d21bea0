"""A server put together from a workspace and settings, and run until it is told to stop."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

from preceptor.errors import UsageError
from preceptor.evaluation.loading import choose_dtype
from preceptor.release.registry import tracking_of
from preceptor.release.store import open_store
from preceptor.serving.api_keys import ApiKeys
from preceptor.serving.backend import Backend, Loaded, LocalBackend
from preceptor.serving.follower import Follower, Plan
from preceptor.serving.gateway import Gateway
from preceptor.serving.metrics import Metrics
from preceptor.serving.rag import Cases, cases_of
from preceptor.serving.scribe import Scribe
from preceptor.serving.sharing import SharedBases
from preceptor.settings import ServingSettings, Settings, Workspace


class Server:
    """Everything that runs. `start` loads the versions, or raises why not; `stop` ends all threads."""

    def __init__(self, workspace: Workspace, settings: Settings, plan: Plan, *, rag: bool = False) -> None:
        serving = settings.serving
        self.keys = ApiKeys(workspace.serving)
        require_keys(serving.host, self.keys)
        dtype = choose_dtype(
            workspace.reports / ".answers" / "number-format.json"
        )  # the one evaluation ran in
        self.backend = backend_of(serving, dtype)
        self.follower = Follower(
            plan,
            tracking_of(workspace),
            lambda: open_store(workspace, settings.vault),
            workspace,
            self.backend,
            serving.follow_seconds,
            on_swap=lambda _: self.metrics.swaps.inc(),
        )
        self.metrics = Metrics(self.backend.depth, lambda: self.gateway.ready())
        scribe = Scribe(workspace, settings, lambda log: self.metrics.unwritten.labels(log).inc())

        @lru_cache(maxsize=2)
        def cases(curated: str) -> Cases:
            return cases_of(workspace, settings, curated)

        def of_version(loaded: Loaded) -> Cases:
            return cases(loaded.version.info.data["curated"])

        self.gateway = Gateway(
            settings,
            self.follower,
            self.backend,
            self.keys,
            scribe,
            self.metrics,
            of_version if rag else None,
        )
        self._warm: Callable[[Loaded], Any] = of_version if rag else lambda _: None

    def start(self) -> None:
        try:
            self.follower.start()
            main = self.follower.get(self.follower.plan.main)
            assert main is not None
            self._warm(main)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        with suppress(RuntimeError):
            self.follower.stop()
        self.backend.stop()

    def run(self, serving: ServingSettings, on_ready: Callable[[str], None]) -> None:
        """Answer until SIGTERM or SIGINT; then no new request is taken, and those that are being answered are finished."""
        uvicorn_server(self, serving, on_ready).run()


def uvicorn_server(server: Server, serving: ServingSettings, on_ready: Callable[[str], None]) -> Any:
    """A uvicorn server for the gateway's app, that tells its address once it listens."""
    import uvicorn

    class Listening(uvicorn.Server):
        async def startup(self, sockets: Any = None) -> None:
            await super().startup(sockets)
            for each in self.servers:
                for socket in each.sockets:
                    host, port = socket.getsockname()[:2]
                    on_ready(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")

    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    config = uvicorn.Config(
        server.gateway.app(),
        host=serving.host,
        port=serving.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=int(serving.max_seconds) + 1,
        # Above what may wait and be written; beyond that uvicorn itself answers 503.
        limit_concurrency=4 * (serving.queue + serving.rows) + 64,
    )
    return Listening(config)


def backend_of(serving: ServingSettings, dtype: str) -> Backend:
    """vLLM where there is a GPU and the package, else this process. Raises `UsageError` if vLLM is asked for in vain."""
    from preceptor.serving import vllm

    if serving.backend == "vllm" and not vllm.available():
        raise UsageError(
            "serving.backend is vllm, but there is no GPU or no package vllm here (pip install vllm)."
        )
    if serving.backend == "vllm" or (serving.backend == "auto" and vllm.available()):
        return vllm.VllmBackend(dtype, queue=serving.queue + serving.rows)
    bases = SharedBases(dtype, serving.adapters)
    return LocalBackend(bases, rows=serving.rows, queue=serving.queue, queue_seconds=serving.queue_seconds)


def require_keys(host: str, keys: ApiKeys) -> None:
    """Raise `UsageError` for an address that others can reach, as long as there is no API key."""
    try:
        loopback = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback and not keys.in_use():
        raise UsageError(
            f"serving.host is {host}, which other machines can reach, and there is no API key. Make one with "
            "`preceptor serve keys add NAME`, or serve on 127.0.0.1."
        )
