"""Requests a second and latency of `preceptor serve` against a plain Transformers server loop, in one run, and under overload.

    python benchmarks/serving.py                          # the catalogue's smollm2-135m-instruct with a random adapter
    python benchmarks/serving.py --clients 8 --requests 32 --tokens 48

Plain: `generate` on the same merged weights in the same number format, one request after the other, as the usual small
FastAPI example does it; half of it before the server's turn and half after, since other work on the machine comes and goes. The
server: real HTTP on the loopback, logs and transcripts on, `clients` asking at a time. Then four times as many clients as may be
written or wait: how many are turned away, how long those are kept that are answered, and whether the server answers afterwards.
No weights are trained for this: an adapter of random numbers costs the same. No part takes longer than `--seconds`: then nothing
more is asked, and the figures are of what was answered.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx

from preceptor.models import resolve
from preceptor.release import users
from preceptor.release.candidates import submit
from preceptor.release.gates import GateDecision, GateReason
from preceptor.release.promotion import promote
from preceptor.release.registry import tracking_of
from preceptor.release.signatures import approve
from preceptor.release.standing import Validity
from preceptor.release.store import open_store
from preceptor.serving.follower import Plan
from preceptor.serving.running import Server, uvicorn_server
from preceptor.settings import ServingSettings, Settings, Workspace

PASSWORD = "only for this measurement"


def home_with_champion(folder: Path, model: str) -> Workspace:
    """A workspace whose champion is an adapter of random numbers on `model`."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    ours = Workspace(folder)
    base = resolve(model, ours)
    adapter = folder / "adapter"
    config = LoraConfig(r=16, target_modules="all-linear", task_type="CAUSAL_LM")
    get_peft_model(AutoModelForCausalLM.from_pretrained(base.path), config).save_pretrained(adapter)
    bundle = {
        "data": {"curated": "none", "synthetic": "none"},
        "recipe": {"method": "lora"},
        "code": "benchmark",
        "lock": "none",
        "base_model": {"name": base.name, "digest": base.digest},
        "evaluation": {"version": "none", "n_cases": 0, "headline": {}, "comparisons": {}},
        "seeds": {"training": 0},
    }
    tracking, store = tracking_of(ours), open_store(ours)
    users.add(store, "measurer", "approver", PASSWORD, actor="operator:benchmark")
    passed = GateDecision(True, (GateReason("cases", True, 0.0, 0, "a measurement, no candidate"),))
    info = submit(tracking, store, "preceptor", None, adapter, bundle, passed, actor="benchmark")
    approve(tracking, store, info.ref, as_user="measurer", password=PASSWORD, reason="a measurement")
    promote(tracking, store, info.ref, required=1, validity=Validity(""), actor="benchmark")
    store.close()
    return ours


def question(number: int) -> list[dict[str, str]]:
    said = "cough, no fever, lungs clear; " * (2 + number % 5)
    return [
        {
            "role": "user",
            "content": f"Summarise visit {number} in three sentences.\n\nThe patient reports {said}",
        }
    ]


def asked_at_a_time(address: str, clients: int, requests: int, tokens: int, limit: float) -> dict[str, Any]:
    """`clients` threads work through `requests` for `limit` seconds at most; seconds of those answered, and how many were
    turned away."""
    deadline = time.monotonic() + limit
    numbers, seconds, statuses, lock = iter(range(requests)), [], [], threading.Lock()
    written = 0

    def client() -> None:
        nonlocal written
        with httpx.Client(base_url=address, timeout=600) as http:
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None or time.monotonic() > deadline:
                    return
                began = time.monotonic()
                body = {"messages": question(number), "max_tokens": tokens}
                answer = http.post("/v1/chat/completions", json=body)
                with lock:
                    statuses.append(answer.status_code)
                    if answer.status_code == 200:
                        seconds.append(time.monotonic() - began)
                        written += answer.json()["usage"]["completion_tokens"]

    began = time.monotonic()
    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - began
    return {
        "clients": clients,
        "answered": statuses.count(200),
        "turned_away": statuses.count(503),
        "failed": len(statuses) - statuses.count(200) - statuses.count(503),
        "requests_per_second": round(statuses.count(200) / took, 3),
        "tokens_per_second": round(written / took, 1),
        **_spread(seconds),
    }


def _spread(seconds: list[float]) -> dict[str, float | None]:
    if not seconds:
        return {"median_seconds": None, "p95_seconds": None}
    p95 = sorted(seconds)[int(0.95 * (len(seconds) - 1))]
    return {"median_seconds": round(statistics.median(seconds), 2), "p95_seconds": round(p95, 2)}


def plain(server: Server, numbers: range, tokens: int, limit: float) -> tuple[list[float], int]:
    """The same questions by `generate`, one by one, on the weights that the server has in memory: seconds, and tokens."""
    import torch

    loaded = server.backend.engine._lanes["preceptor/1"].loaded  # type: ignore[attr-defined]
    seconds, written, deadline = [], 0, time.monotonic() + limit
    for number in numbers:
        if time.monotonic() > deadline:
            break
        began = time.monotonic()
        ids = loaded.tokenizer.apply_chat_template(
            question(number), add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        with torch.inference_mode():
            out = loaded.model.generate(**ids, max_new_tokens=tokens, do_sample=False)
        written += out.shape[1] - ids["input_ids"].shape[1]
        seconds.append(time.monotonic() - began)
    return seconds, written


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--model", default="smollm2-135m-instruct")
    options.add_argument("--requests", type=int, default=24)
    options.add_argument("--clients", type=int, default=8)
    options.add_argument("--tokens", type=int, default=48)
    options.add_argument("--seconds", type=float, default=100, help="The longest of each of the five parts.")
    given = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ours = home_with_champion(Path(folder), given.model)
        serving = ServingSettings(port=0, rows=8, queue=16, requests_per_minute=1_000_000)
        server = Server(ours, Settings(serving=serving), Plan("preceptor@champion"))
        server.start()
        address: list[str] = []
        web = uvicorn_server(server, serving, address.append)
        thread = threading.Thread(target=web.run, daemon=True)
        thread.start()
        while not address:
            time.sleep(0.05)
        limit = given.seconds
        asked_at_a_time(address[0], 1, 1, 4, limit)  # nothing of the first request's setting up is measured
        few = max(4, given.requests // 3)
        found: dict[str, Any] = {"number_format": server.backend.bases.dtype}  # type: ignore[attr-defined]
        seconds, written = plain(server, range(few // 2), given.tokens, limit / 2)
        found["one_client"] = asked_at_a_time(address[0], 1, few, given.tokens, limit)
        found["together"] = asked_at_a_time(address[0], given.clients, given.requests, given.tokens, limit)
        more = plain(server, range(few // 2, few), given.tokens, limit / 2)
        seconds, written = seconds + more[0], written + more[1]
        found["plain_generate"] = {
            "answered": len(seconds),
            "requests_per_second": round(len(seconds) / sum(seconds), 3),
            "tokens_per_second": round(written / sum(seconds), 1),
            **_spread(seconds),
        }
        many = 4 * (serving.rows + serving.queue)
        found["overload"] = asked_at_a_time(address[0], many, many, given.tokens, limit)
        after = httpx.get(f"{address[0]}/health/ready").json()
        found["ready_afterwards"] = after["ready"]
        ratio = found["together"]["requests_per_second"] / found["plain_generate"]["requests_per_second"]
        found["together_over_plain"] = round(ratio, 2)
        web.should_exit = True
        thread.join()
        server.stop()
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
