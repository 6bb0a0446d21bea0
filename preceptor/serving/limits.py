"""How many requests a key may make: a bucket that fills steadily and holds one minute's worth."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class RateLimiter:
    """Requests a minute by name; a burst of a whole minute's is let through."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def wait(self, name: str, per_minute: int) -> float:
        """Seconds until `name` may ask: 0 lets the request through and counts it.

        >>> limiter = RateLimiter(clock=lambda: 0.0)
        >>> [limiter.wait("a", 2) for _ in range(3)]
        [0.0, 0.0, 30.0]
        """
        now = self._clock()
        bucket = self._buckets.setdefault(name, _Bucket(per_minute, now))
        bucket.left = min(per_minute, bucket.left + (now - bucket.at) * per_minute / 60)
        bucket.at = now
        if bucket.left < 1:
            return (1 - bucket.left) * 60 / per_minute
        bucket.left -= 1
        return 0.0
