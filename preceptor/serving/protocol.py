"""What a request may say, after OpenAI's API of chat and text completions. What is not supported is refused, not ignored:
a client that asked for it would take the answer for something else."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from preceptor.serving.sampling import Sampling

# Parameters that OpenAI's clients may send, with the values that mean what is done anyway.
_HARMLESS: dict[str, tuple[Any, ...]] = {
    "n": (1, None),
    "best_of": (1, None),
    "presence_penalty": (0, None),
    "frequency_penalty": (0, None),
    "logit_bias": ({}, None),
    "logprobs": (False, None),
    "top_logprobs": (None, 0),
    "tools": ([], None),
    "tool_choice": ("none", "auto", None),
    "response_format": ({"type": "text"}, None),
    "echo": (False, None),
    "suffix": ("", None),
    "store": (False, None),
}


class Refusal(Exception):
    """A request that is not answered: an HTTP status, OpenAI's `type` and `code`, a message without any of its text."""

    def __init__(self, status: int, code: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.retry_after = status, code, message, retry_after

    def body(self) -> dict[str, Any]:
        kind = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}.get(
            self.status, "invalid_request_error" if self.status < 500 else "server_error"
        )
        return {"error": {"message": self.message, "type": kind, "code": self.code, "param": None}}


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    model: str = Field(default="", max_length=200)
    max_tokens: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    seed: int | None = Field(default=None, ge=0, lt=2**63)
    stop: str | list[str] | None = None
    stream: bool = False
    stream_options: dict[str, bool] | None = None
    user: str | None = Field(default=None, max_length=200)
    metadata: dict[str, str] = Field(default_factory=dict)

    @field_validator("stop")
    @classmethod
    def _few(cls, value: str | list[str] | None) -> list[str]:
        stops = [value] if isinstance(value, str) else value or []
        if len(stops) > 4 or any(not stop or len(stop) > 100 for stop in stops):
            raise ValueError("at most 4 stop strings of 1 to 100 characters")
        return stops

    @property
    def stops(self) -> list[str]:
        return self.stop if isinstance(self.stop, list) else []

    @property
    def sampling(self) -> Sampling:
        """Greedy unless the request says otherwise: that is what was evaluated."""
        return Sampling(self.temperature or 0.0, self.top_p or 1.0, self.seed)

    @property
    def wants_usage(self) -> bool:
        return bool((self.stream_options or {}).get("include_usage"))


class Message(BaseModel):
    model_config = ConfigDict(extra="forbid")

    role: Literal["system", "user", "assistant"]
    content: str
    name: str | None = None

    @field_validator("content", mode="before")
    @classmethod
    def _parts(cls, value: Any) -> Any:
        if isinstance(value, list):
            if any(not isinstance(p, dict) or p.get("type") != "text" for p in value):
                raise ValueError("only parts of the type text are understood")
            return "\n".join(str(p.get("text", "")) for p in value)
        return value


class ChatRequest(_Asked):
    messages: list[Message] = Field(min_length=1, max_length=200)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    rag: bool = False  # ours: show earlier cases, and cite them
    task: str = Field(default="", max_length=60)  # ours: whose cases; or metadata.task


class TextRequest(_Asked):
    prompt: str | list[int]


class FeedbackRequest(BaseModel):
    """Ours: what became of an answer."""

    model_config = ConfigDict(extra="forbid")

    request_id: str = Field(pattern=r"^[a-z]+-[0-9a-f]{32}$")
    rating: int | None = Field(default=None, ge=1, le=5)
    final: str | None = None


def parsed(kind: type[BaseModel], body: bytes) -> Any:
    """A body as a request. Raises `Refusal` 400 that names the parameter, never its value."""
    try:
        values = json.loads(body)
    except ValueError:
        raise Refusal(400, "invalid_json", "The body is no JSON.") from None
    if not isinstance(values, dict):
        raise Refusal(400, "invalid_json", "The body is to be a JSON object.")
    for name, allowed in _HARMLESS.items():
        if name in values and kind is not FeedbackRequest and values.pop(name) not in allowed:
            raise Refusal(400, "unsupported_parameter", f"{name} is not supported here; leave it out.")
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = (
            ".".join(str(part) for part in first["loc"] if isinstance(part, int) or part in _NAMES)
            or "a parameter"
        )
        what = "is not supported here" if first["type"] == "extra_forbidden" else first["msg"]
        code = "unsupported_parameter" if first["type"] == "extra_forbidden" else "invalid_value"
        raise Refusal(400, code, f"{where}: {what}.") from None


_NAMES = {name for kind in (ChatRequest, TextRequest, Message, FeedbackRequest) for name in kind.model_fields}


@dataclass(frozen=True, slots=True)
class Ending:
    """How an answer ended, and what it took."""

    reason: str  # stop | length
    prompt_tokens: int
    new_tokens: int

    def usage(self) -> dict[str, int]:
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.new_tokens,
            "total_tokens": self.prompt_tokens + self.new_tokens,
        }
