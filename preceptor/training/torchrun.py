"""torchrun that ends with the exit code of the process that failed first: `python -m preceptor.training.torchrun`.

Its own is 1 whatever happened. A cluster has to tell a worker that was asked to stop (143) from one that failed.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from torch.distributed import run
from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError


def main(arguments: list[str]) -> int:
    """Run torchrun with its own arguments; return 0, the first failure's exit code, or 128 and the signal."""
    try:
        run.run(run.parse_args(arguments))
    except ChildFailedError as failed:
        rank, first = failed.get_first_failure()
        code = first.exitcode if first.exitcode > 0 else 128 - first.exitcode
        _tell(f"rank {rank} of this training ended first, with exit code {code}")
        return code
    except SignalException as asked:
        return 128 + asked.sigval
    return 0


def _tell(said: str) -> None:
    """To people, and to Kubernetes, which shows it with the pod's end."""
    print(f"torchrun: {said}", file=sys.stderr, flush=True)
    if log := os.environ.get("PRECEPTOR_TERMINATION_LOG"):
        with suppress(OSError):
            Path(log).write_text(said)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
