"""Answers of one model to many questions: what is already known from the cache, the rest generated in batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from preceptor.evaluation import growing_cache
from preceptor.evaluation.answer_cache import Answer, AnswerCache
from preceptor.evaluation.decoding import Decoded, greedy
from preceptor.evaluation.loading import LoadedModel, load_model, load_tokenizer
from preceptor.evaluation.prompting import EncodedPrompt, Question, encode
from preceptor.evaluation.remote import ask
from preceptor.progress import Progress, silent
from preceptor.versions import digest

if TYPE_CHECKING:
    from preceptor.evaluation.arms import ArmModel
    from preceptor.settings import EvaluationSettings

GENERATION = 1  # raised whenever the same tokens could be answered differently; part of every answer's key


@dataclass(frozen=True, slots=True)
class GenerationSettings:
    """`rows` are decoded together; limits are in tokens; `dtype` is "float32" or "bfloat16"."""

    rows: int
    max_new_tokens: int
    max_prompt_tokens: int
    dtype: str

    @classmethod
    def of(cls, settings: EvaluationSettings, dtype: str) -> GenerationSettings:
        """As the settings of an evaluation have it."""
        return cls(settings.batch_size, settings.max_new_tokens, settings.max_prompt_tokens, dtype)


@dataclass(frozen=True, slots=True)
class Generation:
    """One answer and one encoded prompt per question, and how many answers were made now rather than found."""

    answers: list[Answer]
    prompts: list[EncodedPrompt]
    made: int


def answer_all(
    model: ArmModel,
    questions: Sequence[Question],
    settings: GenerationSettings,
    cache: AnswerCache,
    on_progress: Progress = silent,
) -> Generation:
    """Answer every question greedily, in their order. The model is loaded, or asked, only if an answer is missing.

    Questions that come to the same tokens are answered once. Finished answers are in the cache before the
    next batch is begun, so a run that is killed loses at most `rows` of them. Raises `PreceptorError` if the
    model cannot be loaded.
    """
    tokenizer = load_tokenizer(model)
    prompts = [encode(tokenizer, question, settings.max_prompt_tokens) for question in questions]
    keys = [_key(model, prompt, settings) for prompt in prompts]
    missing = {key: prompt for key, prompt in zip(keys, prompts, strict=True) if key not in cache}
    known = len(questions) - sum(key in missing for key in keys)
    on_progress(known, len(questions))
    if missing:
        waits = {key: keys.count(key) for key in missing}
        done = known

        def keep(answers: dict[str, Answer]) -> None:
            nonlocal done
            cache.add(answers)
            done += sum(waits[key] for key in answers)
            on_progress(done, len(questions))

        if model.remote is not None:
            ask(model.remote, missing, settings.max_new_tokens, keep)
        else:
            _generate(load_model(model, settings.dtype), missing, settings, keep)
    return Generation([cache[key] for key in keys], prompts, len(missing))


def _key(model: ArmModel, prompt: EncodedPrompt, settings: GenerationSettings) -> str:
    return digest([GENERATION, model.digest, settings.dtype, settings.max_new_tokens, list(prompt.ids)])


def _generate(
    loaded: LoadedModel,
    prompts: dict[str, EncodedPrompt],
    settings: GenerationSettings,
    keep: Callable[[dict[str, Answer]], None],
) -> None:
    keys = list(prompts)
    fresh: list[tuple[str, Decoded]] = []
    started = time.perf_counter()

    def flush() -> None:
        nonlocal started
        now = time.perf_counter()
        share = (now - started) / max(1, len(fresh))
        started = now
        keep({key: _answer(loaded.tokenizer, prompts[key], decoded, share) for key, decoded in fresh})
        fresh.clear()

    def on_decoded(index: int, decoded: Decoded) -> None:
        fresh.append((keys[index], decoded))
        if len(fresh) >= settings.rows:
            flush()

    ids = [prompts[key].ids for key in keys]
    if loaded.whole and growing_cache.supports(loaded.model.config):
        greedy(
            loaded.model,
            ids,
            rows=settings.rows,
            max_new_tokens=settings.max_new_tokens,
            end_ids=loaded.end_ids,
            on_decoded=on_decoded,
        )
    else:
        _padded_batches(loaded, ids, settings, on_decoded)
    if fresh:
        flush()


def _answer(tokenizer: Any, prompt: EncodedPrompt, decoded: Decoded, seconds: float) -> Answer:
    text = tokenizer.decode(decoded.ids, skip_special_tokens=True).strip()
    return Answer(text, len(prompt.ids), len(decoded.ids), decoded.finished, seconds)


def _padded_batches(
    loaded: LoadedModel,
    prompts: Sequence[Sequence[int]],
    settings: GenerationSettings,
    on_decoded: Callable[[int, Decoded], None],
) -> None:
    """Transformers' own `generate` for models with sliding windows or recurrent layers, longest prompts first."""
    import torch

    pad = loaded.tokenizer.pad_token_id
    pad = min(loaded.end_ids) if pad is None else pad
    order = sorted(range(len(prompts)), key=lambda i: -len(prompts[i]))
    for begin in range(0, len(order), settings.rows):
        batch = order[begin : begin + settings.rows]
        width = max(len(prompts[i]) for i in batch)
        gaps = [width - len(prompts[i]) for i in batch]
        ids = torch.tensor([[pad] * gap + list(prompts[i]) for gap, i in zip(gaps, batch, strict=True)])
        mask = torch.tensor([[0] * gap + [1] * (width - gap) for gap in gaps])
        with torch.inference_mode():
            written = loaded.model.generate(
                ids.to(loaded.model.device),
                attention_mask=mask.to(loaded.model.device),
                max_new_tokens=settings.max_new_tokens,
                do_sample=False,
                eos_token_id=sorted(loaded.end_ids),
                pad_token_id=pad,
            )[:, width:].tolist()
        for index, row in zip(batch, written, strict=True):
            end = next((place for place, token in enumerate(row) if token in loaded.end_ids), None)
            on_decoded(index, Decoded(row[:end], end is not None))
