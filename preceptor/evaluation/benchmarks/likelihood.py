"""How likely a model finds each answer to a question: multiple choice without generating text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from preceptor.evaluation.arms import ArmModel
from preceptor.evaluation.likelihood import Continuation, likelihoods
from preceptor.evaluation.loading import load_tokenizer
from preceptor.progress import Progress, silent


@dataclass(frozen=True, slots=True)
class Ranked:
    """The log likelihoods of a question's choices, in their order, and whether its beginning was cut to fit the model."""

    logprobs: tuple[float, ...]
    cut: bool

    def best(self) -> int:
        """The most likely choice; the first of equals."""
        return max(range(len(self.logprobs)), key=lambda i: self.logprobs[i])

    def best_normalised(self, choices: Sequence[str]) -> int:
        """The most likely choice per character, so that a short one has no advantage."""
        return max(range(len(choices)), key=lambda i: self.logprobs[i] / len(choices[i]))


def rank_all(
    model: ArmModel,
    prompts: Sequence[str],
    choices: Sequence[str],
    *,
    dtype: str,
    kept: Path | None,
    on_progress: Progress = silent,
) -> list[Ranked]:
    """Return the likelihood of every choice after every prompt, in their order; progress counts choices.

    A choice follows its prompt after a blank. Prompt and choice are tokenised together and parted where the prompt alone
    ends, and what is too long loses its beginning, as in lm-evaluation-harness. `kept` and what is raised: see
    `evaluation.likelihood.likelihoods`.
    """
    from transformers import AutoConfig

    tokenizer = load_tokenizer(model)
    limit = getattr(AutoConfig.from_pretrained(model.path), "max_position_embeddings", None)
    items, cut = [], []
    for prompt in prompts:
        parted = [_parted(tokenizer, prompt, choice) for choice in choices]
        cut.append(limit is not None and any(len(a) + len(b) > limit + 1 for a, b in parted))
        for context, target in parted:
            fits = limit + 1 - len(target) if limit else len(context)  # the last token is not read
            items.append(Continuation(context[-fits:], target))
    totals = [found.total for found in likelihoods(model, items, dtype, kept, on_progress)]
    width = len(choices)
    return [
        Ranked(tuple(totals[place * width : (place + 1) * width]), lost) for place, lost in enumerate(cut)
    ]


def _parted(tokenizer: Any, prompt: str, choice: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    whole, before = tokenizer.encode(f"{prompt} {choice}"), len(tokenizer.encode(prompt))
    return tuple(whole[:before]), tuple(whole[before:])
