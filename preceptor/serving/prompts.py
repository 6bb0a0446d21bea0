"""From the messages of a request to token ids, as evaluation asks the model: the same text gives the same tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from preceptor.evaluation.prompting import with_context, without_control_tokens


def chat_ids(
    tokenizer: Any, messages: Sequence[dict[str, str]], retrieved: Sequence[str] = ()
) -> tuple[int, ...]:
    """Token ids of a chat by the tokenizer's template; retrieved cases stand before the last user's text. Control tokens
    such as `<|im_end|>` in a text are broken up: they would let a document speak as the system."""
    clean = without_control_tokens(tokenizer)
    said = [{"role": m["role"], "content": clean(m["content"])} for m in messages]
    if retrieved:
        last = max(i for i, m in enumerate(said) if m["role"] == "user")
        said[last]["content"] = with_context([clean(text) for text in retrieved], said[last]["content"])
    return tuple(tokenizer.apply_chat_template(said, add_generation_prompt=True, return_dict=False))


def text_ids(tokenizer: Any, text: str) -> tuple[int, ...]:
    """Token ids of a raw prompt, which may hold control tokens: whoever sends it writes the template too."""
    return tuple(tokenizer(text)["input_ids"])
