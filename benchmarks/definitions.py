"""How long the definitions take to load, as a ratio to `import dagster` itself: `python benchmarks/definitions.py`."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

CODE = (
    "import time; a = time.perf_counter(); import dagster; b = time.perf_counter();"
    "import pipelines.definitions as d; d.defs.resolve_job_def('pipeline'); print(b - a, time.perf_counter() - b)"
)


def main(runs: int = 5) -> None:
    """Print the median seconds of both over fresh processes, and their ratio."""
    pairs = []
    for _ in range(runs):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", CODE], capture_output=True, text=True, check=True
        )
        pairs.append([float(x) for x in done.stdout.split()])
    dagster, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(
        json.dumps(
            {
                "dagster_s": round(dagster, 3),
                "definitions_s": round(ours, 3),
                "ratio": round(ours / dagster, 3),
            }
        )
    )


if __name__ == "__main__":
    main()
