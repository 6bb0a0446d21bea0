"""From a case to the token ids that a model is given, within a limit, and with a count of what was left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from preceptor.errors import PreceptorError

CUT = "\n[…]\n"  # stands where the middle of a document was left out
LEAST_CONTEXT = 48  # tokens; a shorter excerpt of a retrieved case tells nothing


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: a case's own `prompt`, after example turns (prompt, answer) and with retrieved texts before it: earlier
    cases, then passages of reference texts. `sources` are the ids of the examples, or of the retrieved texts and passages."""

    prompt: str
    examples: tuple[tuple[str, str], ...] = ()
    retrieved: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EncodedPrompt:
    """Token ids ready for the model, and the same as `messages` (`role`, `content`). `prompt_cut`: the case's own text lost
    its middle; `context_cut`: examples or retrieved texts were shortened or left out."""

    ids: tuple[int, ...]
    prompt_cut: bool
    context_cut: bool
    messages: tuple[dict[str, str], ...] = ()
    shown: tuple[int, ...] = ()  # which of the question's examples, or of its texts, the model saw, in order


def encode(tokenizer: Any, question: Question, limit: int) -> EncodedPrompt:
    """Return a question as token ids of the tokenizer's chat template, at most `limit` of them.

    The case's own text comes first: retrieved texts share what it leaves, each cut at its end; examples that
    do not fit whole are dropped, the last first. If the case alone is too long, its middle is left out, since
    instructions stand at the beginning and conclusions at the end. Raises `PreceptorError` if the limit
    leaves no room at all.
    """
    clean = without_control_tokens(tokenizer)
    prompt = clean(question.prompt)
    examples = [(clean(ask), clean(answer)) for ask, answer in question.examples]
    retrieved = [clean(text) for text in (*question.retrieved, *question.references)]

    ids = _chat(tokenizer, [], prompt)
    if len(ids) > limit:
        return _cut_to_fit(tokenizer, prompt, limit, bool(examples or retrieved))

    whole = len(examples)
    while examples and len(_chat(tokenizer, examples, prompt)) > limit:
        examples.pop()
    context_cut = len(examples) < whole
    shown = tuple(range(len(examples)))
    if retrieved:
        cases = len(question.retrieved)
        room = limit - len(_chat(tokenizer, examples, prompt))
        kept, shortened = _shortened(tokenizer, retrieved, cases, room)
        shown = tuple(place for place, _ in kept)
        if kept:
            earlier = [text for place, text in kept if place < cases]
            prompt = with_context(earlier, prompt, [text for place, text in kept if place >= cases])
        context_cut = context_cut or shortened
    return EncodedPrompt(
        tuple(_chat(tokenizer, examples, prompt)),
        False,
        context_cut,
        tuple(_messages(examples, prompt)),
        shown,
    )


def with_context(texts: Sequence[str], prompt: str, references: Sequence[str] = ()) -> str:
    """Put earlier cases and passages of reference texts before a case's own prompt, numbered on."""
    listed = [f"[{number}] {text}" for number, text in enumerate((*texts, *references), start=1)]
    parts = []
    if texts:
        parts += [
            "Earlier cases of this department that resemble the one below, with the answers given then:",
            *listed[: len(texts)],
        ]
    if references:
        parts += ["Passages of reference texts:", *listed[len(texts) :]]
    others = "The earlier cases are other patients. " if texts else ""
    ask = f"{others}Name what you use by its number in brackets. The case to work on:"
    return "\n\n".join([*parts, ask, prompt])


def _messages(examples: Sequence[tuple[str, str]], prompt: str) -> list[dict[str, str]]:
    messages = []
    for ask, answer in examples:
        messages += [{"role": "user", "content": ask}, {"role": "assistant", "content": answer}]
    return [*messages, {"role": "user", "content": prompt}]


def _chat(tokenizer: Any, examples: Sequence[tuple[str, str]], prompt: str) -> list[int]:
    messages = _messages(examples, prompt)
    return list(tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False))


def without_control_tokens(tokenizer: Any) -> Callable[[str], str]:
    """Break up strings such as `<|im_end|>`: written in a document, they would end the user's turn."""
    tokens = [token for token in tokenizer.all_special_tokens if len(token) > 1]

    def clean(text: str) -> str:
        for token in tokens:
            text = text.replace(token, f"{token[0]} {token[1:]}")
        return text

    return clean


def _shortened(
    tokenizer: Any, texts: Sequence[str], cases: int, room: int
) -> tuple[list[tuple[int, str]], bool]:
    """Return (place, text) of the texts, each cut at its end so that all of them and the words around them take `room` tokens;
    the first `cases` are earlier cases."""
    empty = ["" for _ in texts]
    around = _length(tokenizer, with_context(empty[:cases], "", empty[cases:])) + 8 * len(texts)
    lengths = [_length(tokenizer, text) for text in texts]
    left, shortened = room - around, False
    kept: list[Any] = []
    for place in sorted(
        range(len(texts)), key=lambda i: lengths[i]
    ):  # short ones leave their rest to long ones
        share = left // (len(texts) - len(kept))
        text = texts[place] if lengths[place] <= share else _first_tokens(tokenizer, texts[place], share)
        shortened = shortened or lengths[place] > share
        kept.append((place, text))
        left -= min(lengths[place], max(share, 0))
    return [(place, text) for place, text in sorted(kept) if text], shortened


def _length(tokenizer: Any, text: str) -> int:
    return len(tokenizer(text, add_special_tokens=False)["input_ids"])


def _offsets(tokenizer: Any, text: str) -> list[tuple[int, int]]:
    return list(tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"])


def _first_tokens(tokenizer: Any, text: str, count: int) -> str:
    if count < LEAST_CONTEXT:
        return ""
    return text[: _offsets(tokenizer, text)[count - 2][1]].rstrip() + " …"


def _cut_to_fit(tokenizer: Any, prompt: str, limit: int, had_context: bool) -> EncodedPrompt:
    offsets = _offsets(tokenizer, prompt)
    room = limit - len(_chat(tokenizer, [], CUT))
    while room > 0:
        half = room // 2
        shorter = prompt[: offsets[room - half - 1][1]] + CUT + (prompt[offsets[-half][0] :] if half else "")
        ids = _chat(tokenizer, [], shorter)
        if len(ids) <= limit:
            return EncodedPrompt(tuple(ids), True, had_context, tuple(_messages([], shorter)))
        room -= len(ids) - limit  # tokens join differently at the seams
    raise PreceptorError(
        f"evaluation.max_prompt_tokens is {limit}: the chat template alone takes that much. Raise it in the settings."
    )
