"""Why a training stopped, in words that quote no example."""

from __future__ import annotations

from pathlib import Path

from preceptor import disk
from preceptor.errors import PreceptorError, kind_and_place

FAILURE = "failure.txt"  # in the folder of a job whose last run failed: the reason


class Interrupted(Exception):
    """Asked to stop (SIGTERM, as a spot machine sends it), it wrote a checkpoint and did."""


class Diverged(PreceptorError):
    """The loss is no number any more, or far above where it began."""


def reason(error: BaseException, folder: Path) -> str:
    """What a person can be told of an error of the trainer, which wrote to `folder`: our own words, or its kind and place, and
    what usually helps."""
    if isinstance(error, PreceptorError):
        return str(error)
    if disk.is_full(error, folder):
        return str(disk.full(folder))
    if type(error).__name__ == "OutOfMemoryError" or isinstance(error, MemoryError):
        return (
            "out of memory (rule out-of-memory). Lower batch.max_length, choose an adapter method or qlora, or spread the model "
            "over more devices (zero_stage)."
        )
    return kind_and_place(error)
