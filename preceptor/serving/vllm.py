"""vLLM behind the same gateway: one vLLM server for a base model, versions put on it as LoRA adapters while it runs.

vLLM is started on a free loopback port and asked with token ids, so that the prompt is exactly what evaluation would have
given the model. It needs a GPU and the package vllm; where this was written there was neither: the exchange over HTTP is
tested against another gateway of ours, starting vLLM itself was never run. Adapters that vLLM does not take (DoRA, IA3,
learned prompts) are refused: merge them first (`preceptor models merge`, or `export --to vllm-bundle`).

https://docs.vllm.ai/en/stable/features/lora.html (dynamically serving LoRA adapters).
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from preceptor.errors import PreceptorError, UsageError
from preceptor.evaluation.loading import load_tokenizer
from preceptor.serving.backend import Ask, Loaded, Piece
from preceptor.serving.versions import Version

_START_SECONDS = 900.0


def available() -> bool:
    """Whether vLLM is installed and there is a GPU."""
    if importlib.util.find_spec("vllm") is None:
        return False
    import torch

    return torch.cuda.is_available()


@dataclass(slots=True)
class Upstream:
    """A server that speaks vLLM's API."""

    url: str
    key: str = ""
    process: subprocess.Popen[bytes] | None = None

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}


class VllmBackend:
    """Starts a vLLM server for each base that versions stand on, and for each version with weights of its own."""

    def __init__(self, dtype: str, *, queue: int, max_rank: int = 64) -> None:
        self._dtype, self._queue, self._max_rank = dtype, queue, max_rank
        self._servers: dict[Path, Upstream] = {}
        self._users: dict[Path, int] = {}
        self._waiting = self._active = 0

    def load(self, version: Version) -> Loaded:
        model = version.model
        if model.adapter:
            _require_plain_lora(model.adapter, version.info.ref)
        tokenizer = load_tokenizer(model)
        if model.path not in self._servers:
            self._servers[model.path] = self._started(model.path, lora=model.adapter is not None)
        self._users[model.path] = self._users.get(model.path, 0) + 1
        if model.adapter:
            body = {"lora_name": version.info.ref, "lora_path": str(model.adapter)}
            self._post(self._servers[model.path], "/v1/load_lora_adapter", body)
        config = json.loads((model.path / "config.json").read_text(encoding="utf-8"))
        return Loaded(version, tokenizer, int(config.get("max_position_embeddings") or 2**31))

    def release(self, loaded: Loaded) -> None:
        model = loaded.version.model
        server = self._servers[model.path]
        if model.adapter:
            self._post(server, "/v1/unload_lora_adapter", {"lora_name": loaded.name})
        self._users[model.path] -= 1
        if not self._users[model.path]:
            _end(self._servers.pop(model.path))

    async def write(self, loaded: Loaded, ask: Ask) -> AsyncIterator[Piece]:
        if self._active >= (1 if ask.spare else self._queue):
            yield Piece("", 0, "shed")
            return
        self._active += 1
        ask.begun = time.monotonic()
        model = loaded.version.model
        named = loaded.name if model.adapter else str(model.path)
        stream = relayed(self._servers[model.path], named, ask)
        try:
            async for piece in stream:
                yield piece
        finally:
            self._active -= 1
            await stream.aclose()  # type: ignore[attr-defined]

    def depth(self) -> tuple[int, int]:
        return self._waiting, self._active

    def alive(self) -> bool:
        return all(s.process is None or s.process.poll() is None for s in self._servers.values())

    def stop(self) -> None:
        for server in self._servers.values():
            _end(server)
        self._servers.clear()

    def _started(self, path: Path, lora: bool) -> Upstream:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        key = secrets.token_urlsafe(24)
        command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(path)]
        command += [
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--dtype",
            self._dtype,
            "--disable-log-requests",
        ]
        if lora:
            command += ["--enable-lora", "--max-lora-rank", str(self._max_rank), "--max-loras", "4"]
        # The key goes by the environment: a command line can be read by everybody on the machine.
        environment = os.environ | {"VLLM_API_KEY": key, "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True"}
        environment |= {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "HF_HUB_OFFLINE": "1"}
        quiet = subprocess.DEVNULL  # its log may show prompts
        process = subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet)
        server = Upstream(f"http://127.0.0.1:{port}", key, process)
        _wait_for(server, path)
        return server

    @staticmethod
    def _post(server: Upstream, path: str, body: dict[str, Any]) -> None:
        import httpx

        answer = httpx.post(server.url + path, json=body, headers=server.headers, timeout=120)
        if answer.status_code != 200:
            raise PreceptorError(
                f"vLLM refused {path} with {answer.status_code}: {body['lora_name']} is not served. Look at its own log by "
                "starting vLLM by hand with this base and adapter."
            )


async def relayed(server: Upstream, model: str, ask: Ask) -> AsyncIterator[Piece]:
    """Ask `/v1/completions` of a server with token ids, and hand its pieces on as they come."""
    import httpx

    body: dict[str, Any] = {
        "model": model,
        "prompt": list(ask.ids),
        "max_tokens": ask.max_new_tokens,
        "temperature": ask.sampling.temperature,
        "top_p": ask.sampling.top_p,
        "stop": list(ask.stop) or None,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if ask.sampling.seed is not None:
        body["seed"] = ask.sampling.seed
    count, reason = 0, ""
    left = ask.arrived + ask.seconds - time.monotonic()
    try:
        async with asyncio.timeout(max(0.0, left)), httpx.AsyncClient(timeout=None) as client:
            url = f"{server.url}/v1/completions"
            async with client.stream("POST", url, json=body, headers=server.headers) as answer:
                if answer.status_code != 200:
                    yield Piece("", 0, "shed" if answer.status_code in (429, 503) else "error")
                    return
                async for line in answer.aiter_lines():
                    if not line.startswith("data:") or line.endswith("[DONE]"):
                        continue
                    event = json.loads(line[5:])
                    if "error" in event:
                        yield Piece("", count, "error")
                        return
                    if event.get("usage"):
                        count = event["usage"]["completion_tokens"]
                    for choice in event["choices"]:
                        reason = choice.get("finish_reason") or reason
                        if choice.get("text"):
                            count += not event.get("usage")
                            yield Piece(choice["text"], count)
    except TimeoutError:
        yield Piece("", count, "timeout")
        return
    except httpx.HTTPError:
        yield Piece("", count, "error")
        return
    yield Piece("", count, reason or "error")


def _require_plain_lora(adapter: Path, ref: str) -> None:
    config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    if config["peft_type"] != "LORA" or config.get("use_dora"):
        raise UsageError(
            f"{ref}: vLLM takes plain LoRA adapters, and this one is {config['peft_type']}"
            f"{' with DoRA' if config.get('use_dora') else ''}. Serve it with serving.backend: transformers."
        )


def _wait_for(server: Upstream, path: Path) -> None:
    import httpx

    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if server.process is not None and server.process.poll() is not None:
            break
        try:
            if httpx.get(f"{server.url}/health", headers=server.headers, timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(1)
    _end(server)
    raise PreceptorError(
        f"vLLM did not start for {path}. Start it by hand to see why (`vllm serve {path}`), or set serving.backend: transformers."
    )


def _end(server: Upstream) -> None:
    if server.process is not None:
        server.process.terminate()
        try:
            server.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            server.process.kill()
