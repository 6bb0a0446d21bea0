"""Whether the service of this container works: exit code 0 or 1. `PRECEPTOR_HEALTH` is what to ask.

A URL has to answer with a status below 400 within ten seconds; `grpc://HOST:PORT` is a code server; `daemon` is Dagster's daemon,
whose heartbeats must be fresh; nothing at all is healthy.
"""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import urllib.error
import urllib.request


def healthy(what: str) -> bool:
    if not what:
        return True
    if what == "daemon":
        return subprocess.run(["dagster-daemon", "liveness-check"], capture_output=True).returncode == 0
    if what.startswith("grpc://"):
        host, _, port = what.removeprefix("grpc://").rpartition(":")
        asked = ["dagster", "api", "grpc-health-check", "--host", host, "--port", port]
        return subprocess.run(asked, capture_output=True).returncode == 0
    # The certificate is for the name by which others come here, and this asks the loopback.
    context = ssl._create_unverified_context() if what.startswith("https://") else None
    try:
        with urllib.request.urlopen(what, timeout=10, context=context) as answer:
            return answer.status < 400
    except (urllib.error.URLError, OSError):
        return False


if __name__ == "__main__":
    sys.exit(0 if healthy(os.environ.get("PRECEPTOR_HEALTH", "")) else 1)
