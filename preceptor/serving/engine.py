"""The thread that computes. Requests that arrive together are written together; between two steps a waiting prompt is
read, so that places stay full and nobody who is being answered waits for more than one prompt of somebody else."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque

from preceptor.serving.lanes import BatchLane, Job, SingleLane

Lane = BatchLane | SingleLane
_log = logging.getLogger(__name__)


class Overloaded(Exception):
    """As many requests wait as may wait."""


class Engine:
    """Lanes by name, and one queue before them, in order of arrival. `queue`: jobs that may wait."""

    def __init__(self, queue: int, queue_seconds: float) -> None:
        self._limit, self._patience = queue, queue_seconds
        self._lanes: dict[str, Lane] = {}
        self._waiting: deque[tuple[str, Job]] = deque()
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def add(self, name: str, lane: Lane) -> None:
        with self._changed:
            self._lanes[name] = lane

    def remove(self, name: str) -> None:
        """Take a lane away. Call it when nobody asks it any more (`busy`)."""
        with self._changed:
            self._lanes.pop(name, None)

    def busy(self, name: str) -> bool:
        """Whether a lane has answers to write, waiting ones included."""
        with self._changed:
            lane = self._lanes.get(name)
            return bool(lane and lane.active) or any(waits == name for waits, _ in self._waiting)

    def depth(self) -> tuple[int, int]:
        """How many jobs wait, and how many are being written."""
        with self._changed:
            return len(self._waiting), sum(len(lane.active) for lane in self._lanes.values())

    def submit(self, name: str, job: Job) -> None:
        """Put a job into the queue. Raises `Overloaded` if it is full; for a spare job if anybody waits at all."""
        with self._changed:
            if self._stopping or len(self._waiting) >= (1 if job.spare else self._limit):
                raise Overloaded
            self._waiting.append((name, job))
            self._changed.notify()

    def alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        """End the thread; what is still waiting or being written ends as cancelled."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(timeout=30)

    def _run(self) -> None:
        while True:
            with self._changed:
                while (
                    not self._stopping
                    and not self._waiting
                    and not any(x.active for x in self._lanes.values())
                ):
                    self._changed.wait()
                if self._stopping:
                    jobs = [job for _, job in self._waiting] + [
                        j for x in self._lanes.values() for j in x.active
                    ]
                    for job in jobs:
                        job.emit(None, "cancelled")
                    return
                lanes = list(self._lanes.items())
                taken = self._next()
            if taken:
                lane, job = taken
                self._guarded(lane, lambda lane=lane, job=job: lane.read(job), job)
            for _, lane in lanes:
                self._guarded(lane, lane.step)

    def _next(self) -> tuple[Lane, Job] | None:
        """The first waiting job whose lane has a place; those that waited too long or were given up go."""
        now, kept, found = time.monotonic(), deque[tuple[str, Job]](), None
        while self._waiting and found is None:
            name, job = self._waiting.popleft()
            lane = self._lanes.get(name)
            if job.cancelled.is_set():
                job.emit(None, "cancelled")
            elif now - job.arrived > self._patience:
                job.emit(None, "shed")
            elif lane is None:
                job.emit(None, "error")
            elif lane.free > 0:
                found = lane, job
            else:
                kept.append((name, job))
        self._waiting.extendleft(reversed(kept))
        return found

    @staticmethod
    def _guarded(lane: Lane, work, job: Job | None = None) -> None:
        """A failure (out of memory, say) ends the answers that were being written, not the server."""
        try:
            work()
        except Exception as error:
            _log.error("generation failed: %s", type(error).__name__)  # the message could hold text
            if job is not None:
                job.emit(None, "error")
            lane.fail()
