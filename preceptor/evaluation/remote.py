"""A model whose answers come over a wire: asked the same messages as a local one would read, one case after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from preceptor.evaluation.answer_cache import Answer
from preceptor.evaluation.prompting import EncodedPrompt

Message = Mapping[str, str]  # {"role": …, "content": …}


class Remote(Protocol):
    """Something that answers. `where` is told in the report."""

    @property
    def where(self) -> str: ...

    def answer(self, messages: Sequence[Message], max_new_tokens: int) -> Answer:
        """Raises `PreceptorError` where there is no answer to be had."""
        ...

    def cost(self, prompt_tokens: int, new_tokens: int) -> float | None:
        """US dollars; None where the price is not known."""
        ...


def ask(
    remote: Remote,
    prompts: Mapping[str, EncodedPrompt],
    max_new_tokens: int,
    keep: Callable[[dict[str, Answer]], None],
) -> None:
    """Get the answer to each prompt; every one is kept as it comes, since each has been paid for."""
    for key, prompt in prompts.items():
        keep({key: remote.answer(prompt.messages, max_new_tokens)})
