"""Reviewers at once, 100 or as many as are given, in the review app on the loopback: `python benchmarks/review_load.py
[--reviewers N --each N --pause S]`.

A server process of its own in a home for the occasion; sessions are made beforehand, since a sign-in is slow by design. Each
reviewer takes the next case, reads it for `--pause` seconds on average (exponentially distributed; 0: not at all, so that the
server is asked as much as it can bear), judges it, and goes on. Prints milliseconds by step, the server's own seconds of CPU, and errors.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import httpx

from preceptor.records import Example
from preceptor.release.store import open_store
from preceptor.release.users import add
from preceptor.review import comparisons
from preceptor.review.app import house_of
from preceptor.settings import Settings, Workspace
from preceptor.tables import EXAMPLES, write_examples, write_rows
from preceptor.versions import make_version


def prepared(home: Path, reviewers: int, each: int) -> tuple[list[str], str, str]:
    """Return session tokens, the cookie's name and a comparison with a case for every judgement."""
    workspace = Workspace(home)
    store = open_store(workspace)
    add(store, "lead", "approver", "correct horse battery", actor="benchmark")
    for n in range(
        reviewers
    ):  # the record's user event is all that a session needs; keys would take a minute
        payload = {"name": f"r{n}", "role": "reviewer", "public_key": "00" * 32}
        store.append("user_added", f"user:r{n}", "benchmark", payload)
    store.close()
    cases = [f"case-{n}" for n in range(reviewers * each)]
    text = "The visit. " + "Blood pressure 140 over 90. " * 60

    def write(folder: Path) -> dict:
        write_examples(
            folder / EXAMPLES, [Example(c, "summary", "test", c, (c,), "x", text, "ref") for c in cases]
        )
        return {}

    curated = make_version(workspace.data, "curated", inputs={}, config={}, code="1", write=write)

    def evaluate(folder: Path) -> dict:
        rows = [
            {"example_id": c, "patient_ref": c, "arm": arm, "answer": f"{arm} {text}"}
            for arm in ("base", "finetuned")
            for c in cases
        ]
        write_rows(folder / "predictions.parquet", rows, dict.fromkeys(rows[0], "string"))
        return {}

    made = make_version(
        workspace.reports,
        "evaluations",
        inputs={"curated": curated.name},
        config={},
        code="1",
        write=evaluate,
    )
    house = house_of(workspace, Settings())
    name = comparisons.make(house.database, made.name, ("finetuned", "base"), cases, 0.0, "lead")
    return [house.sessions.begin(f"r{n}") for n in range(reviewers)], house.cookie, name


async def work(
    base: str, token: str, cookie: str, name: str, given: argparse.Namespace, took: dict, errors: list
) -> None:
    # The server closes what is idle for five seconds; the client must do so first, or a request may go into a closing connection.
    limits = httpx.Limits(keepalive_expiry=2)
    async with httpx.AsyncClient(
        base_url=base, cookies={cookie: token}, timeout=given.patience, limits=limits
    ) as client:

        async def timed(step: str, *arguments, **more) -> httpx.Response:
            started = time.perf_counter()
            answer = await client.request(*arguments, **more)
            took[step].append(1000 * (time.perf_counter() - started))
            if answer.status_code not in (200, 303):
                errors.append((step, answer.status_code))
            return answer

        for _ in range(given.each):
            place = (await timed("next", "GET", f"/comparisons/{name}/next")).headers["location"]
            page = await timed("case", "GET", place)
            form = {
                "form_token": re.search(r'name="form_token" value="(\w+)"', page.text)[1],
                "preference": "left",
            }
            await asyncio.sleep(random.expovariate(1 / given.pause) if given.pause else 0)
            form |= {f"{side}-{c}": "3" for side in ("left", "right") for c in comparisons.CRITERIA}
            await timed("judge", "POST", place, data=form)


async def run(base: str, tokens: list[str], cookie: str, name: str, given: argparse.Namespace) -> dict:
    took: dict[str, list[float]] = defaultdict(list)
    errors: list = []
    started = time.perf_counter()
    await asyncio.gather(*(work(base, t, cookie, name, given, took, errors) for t in tokens))
    steps = {
        step: {"p50": round(statistics.median(ms)), "p95": round(sorted(ms)[int(0.95 * len(ms))])}
        for step, ms in took.items()
    }
    wall = round(time.perf_counter() - started, 1)
    return {"reviewers": len(tokens), "seconds": wall, "milliseconds": steps, "errors": len(errors)}


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--reviewers", type=int, default=100)
    options.add_argument("--each", type=int, default=2)
    options.add_argument("--pause", type=float, default=0.0, metavar="SECONDS")
    options.add_argument(
        "--patience", type=float, default=120.0, metavar="SECONDS", help="for one answer; then it is an error"
    )
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        tokens, cookie, name = prepared(Path(folder), given.reviewers, given.each)
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        program = "from preceptor.cli import main; main()"
        server = subprocess.Popen(
            [sys.executable, "-c", program, "--home", folder, "review", "--port", str(port)]
        )
        try:
            base = f"http://127.0.0.1:{port}"
            for _ in range(120):
                try:
                    httpx.get(base + "/sign-in")
                    break
                except httpx.TransportError:
                    time.sleep(0.5)
            before = cpu_seconds(server.pid)
            found = asyncio.run(run(base, tokens, cookie, name, given))
            found["server_cpu_seconds"] = cpu_seconds(server.pid) - before
        finally:
            server.terminate()
            server.wait()
        house = house_of(Workspace(Path(folder)), Settings())
        found["judged"] = comparisons.progress(house.database, name, "r0")["done"]
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
