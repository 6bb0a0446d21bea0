"""Language models that write, behind one interface: this machine's model, or an OpenAI-compatible server."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from preceptor.errors import GateRefused, PreceptorError, UsageError
from preceptor.settings import SynthesisSettings
from preceptor.synthesis.checkpoint import Checkpoint


class Generator(Protocol):
    """Writes one text for each prompt. `name` marks its rows; the same prompts and seed give the same texts."""

    @property
    def name(self) -> str: ...

    def generate(self, prompts: Sequence[str], seed: int) -> list[str]: ...


def make_generator(settings: SynthesisSettings, base: Callable[[], Checkpoint]) -> Generator | None:
    """Return the generator that the settings name; None for `none`.

    `base` brings the base model here, and is called only for `local`. Raises `GateRefused` for a server that nobody
    has allowed: training data may not leave the machine by default.
    """
    if settings.generator == "none":
        return None
    if settings.generator == "local":
        return LocalModel(base(), settings.max_new_tokens)
    if not settings.endpoint or not settings.endpoint_model:
        raise UsageError(
            "synthesis.generator is openai: set synthesis.endpoint and synthesis.endpoint_model."
        )
    if not settings.endpoint_allowed:
        raise GateRefused(
            f"Sending de-identified notes to {settings.endpoint} is not allowed (rule endpoint-not-allowed). Whoever "
            "answers for the agreement with its operator sets synthesis.endpoint_allowed: true."
        )
    return OpenAIServer(settings.endpoint, settings.endpoint_model, settings.max_new_tokens)


class LocalModel:
    """A Transformers checkpoint on this machine, sampled at temperature 0.7 from the 0.9 nucleus."""

    def __init__(self, checkpoint: Checkpoint, max_new_tokens: int) -> None:
        self._checkpoint = checkpoint
        self._max_new_tokens = max_new_tokens

    @property
    def name(self) -> str:
        return f"local:{self._checkpoint.of.name}@{self._checkpoint.of.digest[:12]}"

    def generate(self, prompts: Sequence[str], seed: int) -> list[str]:
        import torch

        tokenizer, model = self._checkpoint.load()
        texts = [
            tokenizer.apply_chat_template(
                [{"role": "user", "content": prompt}], tokenize=False, add_generation_prompt=True
            )
            for prompt in prompts
        ]
        batch = tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False).to(model.device)
        torch.manual_seed(seed)
        with torch.inference_mode():
            written = model.generate(
                **batch,
                max_new_tokens=self._max_new_tokens,
                do_sample=True,
                temperature=0.7,
                top_p=0.9,
                pad_token_id=tokenizer.pad_token_id,
            )
        new = written[:, batch["input_ids"].shape[1] :]
        return [text.strip() for text in tokenizer.batch_decode(new, skip_special_tokens=True)]


class OpenAIServer:
    """Any server with the chat-completions interface of OpenAI: vLLM, Ollama, a cloud under a BAA.

    The key, if one is needed, comes from `PRECEPTOR_ENDPOINT_KEY`.
    """

    def __init__(self, endpoint: str, model: str, max_new_tokens: int) -> None:
        self._endpoint, self._model, self._max_new_tokens = endpoint.rstrip("/"), model, max_new_tokens

    @property
    def name(self) -> str:
        return f"openai:{self._endpoint}:{self._model}"

    def generate(self, prompts: Sequence[str], seed: int) -> list[str]:
        import httpx

        key = os.environ.get("PRECEPTOR_ENDPOINT_KEY")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        with httpx.Client(timeout=120, headers=headers) as client:
            return [self._ask(client, prompt, seed) for prompt in prompts]

    def _ask(self, client: Any, prompt: str, seed: int) -> str:
        import httpx

        body = {
            "model": self._model,
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": self._max_new_tokens,
            "temperature": 0.7,
            "top_p": 0.9,
            "seed": seed,
        }
        try:
            answer = client.post(f"{self._endpoint}/chat/completions", json=body)
            answer.raise_for_status()
            return answer.json()["choices"][0]["message"]["content"].strip()
        except (httpx.HTTPError, KeyError, ValueError, IndexError) as error:
            status = (
                f", status {error.response.status_code}" if isinstance(error, httpx.HTTPStatusError) else ""
            )
            said = type(error).__name__ + status
        raise PreceptorError(
            f"The server {self._endpoint} gave no usable answer ({said}). Is it up, and does it serve "
            f"{self._model}? The same command goes on where this one stopped."
        )
