"""How likely a model finds each answer to a question: multiple choice without generating text."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from preceptor.evaluation.arms import ArmModel
from preceptor.evaluation.loading import LoadedModel, load_model
from preceptor.progress import Progress, silent
from preceptor.versions import digest, write_atomic

LIKELIHOOD = 1  # raised whenever the same tokens could be given another likelihood; part of every key
KEEP_EVERY = 32  # questions; a kill loses at most so many


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


class LikelihoodCache:
    """Log likelihoods by key on disk; a shard is written whole or not at all. Green: holds numbers only."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self._known: dict[str, Ranked] = {}
        for shard in sorted(folder.glob("*.json")) if folder else ():
            for key, (logprobs, cut) in json.loads(shard.read_text(encoding="utf-8")).items():
                self._known[key] = Ranked(tuple(logprobs), cut)

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def __getitem__(self, key: str) -> Ranked:
        return self._known[key]

    def add(self, found: Mapping[str, Ranked]) -> None:
        """Keep these, in one new shard."""
        self._known.update(found)
        if self.folder and found:
            rows = {key: [list(ranked.logprobs), ranked.cut] for key, ranked in found.items()}
            write_atomic(self.folder / f"{digest(sorted(found))[:24]}.json", json.dumps(rows))


def rank_all(
    model: ArmModel,
    prompts: Sequence[str],
    choices: Sequence[str],
    *,
    rows: int,
    dtype: str,
    cache: LikelihoodCache,
    on_progress: Progress = silent,
) -> list[Ranked]:
    """Return the likelihood of every choice after every prompt, in their order; `rows` sequences are read at once.

    The model is loaded only if something is missing in the cache, whose key is the digest of model, number format, prompt
    and choices. Raises `PreceptorError` if the model cannot be loaded.
    """
    keys = [digest([LIKELIHOOD, model.digest, dtype, prompt, list(choices)]) for prompt in prompts]
    missing = {key: prompt for key, prompt in zip(keys, prompts, strict=True) if key not in cache}
    done = len(prompts) - len(missing)
    on_progress(done, len(prompts))
    if missing:
        loaded = load_model(model, dtype)
        order = sorted(missing, key=lambda key: len(missing[key]), reverse=True)
        for begin in range(0, len(order), KEEP_EVERY):
            some = order[begin : begin + KEEP_EVERY]
            found = rank(loaded, [missing[key] for key in some], choices, rows)
            cache.add(dict(zip(some, found, strict=True)))
            on_progress(done + begin + len(some), len(prompts))
    return [cache[key] for key in keys]


def rank(loaded: LoadedModel, prompts: Sequence[str], choices: Sequence[str], rows: int) -> list[Ranked]:
    """The same with a model in memory, nothing kept.

    A choice follows its prompt after a blank. Prompt and choice are tokenised together and parted where the prompt alone
    ends, and what is too long loses its beginning, as in lm-evaluation-harness. Choices that differ only in their last
    token are read once: their inputs are the same.
    """
    limit = getattr(loaded.model.config, "max_position_embeddings", None)
    wanted: list[list[tuple[tuple[int, ...], list[int]]]] = []
    cut = []
    for prompt in prompts:
        pairs = [_encode(loaded.tokenizer, prompt, f" {choice}") for choice in choices]
        cut.append(limit is not None and any(len(a) + len(b) > limit + 1 for a, b in pairs))
        wanted.append([(tuple((a + b)[:-1][-limit:] if limit else (a + b)[:-1]), b) for a, b in pairs])
    scored = _read(loaded, {ids: len(b) for row in wanted for ids, b in row}, wanted, rows)
    return [
        Ranked(tuple(scored[ids, tuple(b)] for ids, b in row), c) for row, c in zip(wanted, cut, strict=True)
    ]


def _encode(tokenizer: Any, context: str, continuation: str) -> tuple[list[int], list[int]]:
    whole = tokenizer.encode(context + continuation)
    before = tokenizer.encode(context)
    return whole[: len(before)], whole[len(before) :]


def _read(
    loaded: LoadedModel,
    inputs: Mapping[tuple[int, ...], int],
    wanted: Sequence[Sequence[tuple[tuple[int, ...], list[int]]]],
    rows: int,
) -> dict[tuple[tuple[int, ...], tuple[int, ...]], float]:
    """Score each (input, continuation): the sum of log probabilities of the continuation's tokens, each given those before.

    Inputs are padded at the right, where a causal model cannot see it; the longest come first.
    """
    import torch

    after: dict[tuple[int, ...], set[tuple[int, ...]]] = {}
    for row in wanted:
        for ids, continuation in row:
            after.setdefault(ids, set()).add(tuple(continuation))
    narrow = loaded.whole and "logits_to_keep" in inspect.signature(loaded.model.forward).parameters
    device = loaded.model.device
    pad = next(iter(loaded.end_ids), 0)
    order = sorted(inputs, key=lambda ids: (-len(ids), ids))
    found: dict[tuple[tuple[int, ...], tuple[int, ...]], float] = {}
    for begin in range(0, len(order), rows):
        batch = order[begin : begin + rows]
        width = max(len(ids) for ids in batch)
        # the positions whose logits are needed: those of the last tokens of every row
        needed = sorted({len(ids) - 1 - back for ids in batch for c in after[ids] for back in range(len(c))})
        padded = torch.tensor([[*ids, *[pad] * (width - len(ids))] for ids in batch], device=device)
        mask = torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for ids in batch], device=device)
        kept = {"logits_to_keep": torch.tensor(needed, device=device)} if narrow else {}
        with torch.inference_mode():
            logits = loaded.model(padded, attention_mask=mask, use_cache=False, **kept).logits
            if not narrow:  # a learned prompt may have put positions of its own before these
                logits = logits[:, -width:][:, needed]
            logprobs = torch.log_softmax(logits.float(), dim=-1)
        place = {position: i for i, position in enumerate(needed)}
        for at, read in enumerate(batch):
            for choice in after[read]:
                first = len(read) - len(choice)
                found[read, choice] = sum(
                    float(logprobs[at, place[first + i], token]) for i, token in enumerate(choice)
                )
    return found
