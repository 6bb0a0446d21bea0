"""Prometheus metrics. Green: counts and times; labels are versions, roles, outcomes and nothing a client has written."""

from __future__ import annotations

from collections.abc import Callable

from preceptor.serving.traffic import Served

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class Metrics:
    """A registry of its own for every server, so that two in one process do not mix."""

    def __init__(self, depth: Callable[[], tuple[int, int]], ready: Callable[[], bool]) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self.registry = CollectorRegistry()
        kinds = ("version", "role", "outcome")
        self._answers = Counter(
            "preceptor_answers", "Answers that ended, by how", kinds, registry=self.registry
        )
        self._tokens = Counter(
            "preceptor_tokens", "Tokens read and written", ("version", "kind"), registry=self.registry
        )
        self._seconds = Histogram(
            "preceptor_answer_seconds",
            "From arrival to the last token",
            ("version",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._first = Histogram(
            "preceptor_first_token_seconds",
            "From arrival to the first token",
            ("version",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.swaps = Counter("preceptor_swaps", "Versions that took over", registry=self.registry)
        self.unwritten = Counter(
            "preceptor_unwritten", "Logs that could not be written", ("log",), registry=self.registry
        )
        waiting = Gauge("preceptor_waiting", "Requests in the queue", registry=self.registry)
        waiting.set_function(lambda: depth()[0])
        active = Gauge("preceptor_active", "Answers being written", registry=self.registry)
        active.set_function(lambda: depth()[1])
        up = Gauge("preceptor_ready", "Whether a version answers", registry=self.registry)
        up.set_function(lambda: float(ready()))

    def count(self, served: Served) -> None:
        self._answers.labels(served.version or "none", served.role, served.outcome).inc()
        if served.new_tokens or served.prompt_tokens:
            self._tokens.labels(served.version, "prompt").inc(served.prompt_tokens)
            self._tokens.labels(served.version, "new").inc(served.new_tokens)
        if served.new_tokens and served.role != "shadow":
            self._seconds.labels(served.version).observe(served.seconds)
            self._first.labels(served.version).observe(served.first_token_seconds)

    def text(self) -> bytes:
        from prometheus_client import generate_latest

        return generate_latest(self.registry)
