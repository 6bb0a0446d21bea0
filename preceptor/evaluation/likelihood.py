"""How likely a model finds given continuations: the log-probability of every token, in batches."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from preceptor.evaluation import growing_cache
from preceptor.evaluation.loading import LoadedModel, load_model
from preceptor.progress import Progress, silent
from preceptor.versions import digest, write_atomic

if TYPE_CHECKING:
    from preceptor.evaluation.arms import ArmModel

LIKELIHOOD = 1  # raised whenever the same tokens could come out otherwise; part of every kept one's key
BATCH_TOKENS = 2048  # of a batch, padding included: their logits over 50,000 words are 200 MB in bfloat16
_SHARD = 64  # continuations that a kill may cost


@dataclass(frozen=True, slots=True)
class Continuation:
    """Token ids of a `target` after a `context`, neither of them empty; a model begins with the context's first."""

    context: tuple[int, ...]
    target: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Likelihood:
    """Of each token of a target: its log-probability after all tokens before it (nats), and whether no other was likelier."""

    log_probabilities: tuple[float, ...]
    greedy: tuple[bool, ...]

    @property
    def total(self) -> float:
        """The log-likelihood of the whole target."""
        return sum(self.log_probabilities)

    @property
    def mean(self) -> float:
        """The log-likelihood per token; the negative of a training loss."""
        return self.total / len(self.log_probabilities)


def likelihoods(
    model: ArmModel,
    items: Sequence[Continuation],
    dtype: str,
    kept: Path | None,
    on_progress: Progress = silent,
) -> list[Likelihood]:
    """Return the likelihood of every item, in their order. Those found before stand in the folder `kept` and cost nothing;
    with None nothing is kept.

    The model is loaded, in `dtype`, only if one is missing. What is kept are numbers under hashes, no text. Raises `PreceptorError`
    if the model cannot be loaded.
    """
    keys = [digest([LIKELIHOOD, model.digest, dtype, item.context, item.target]) for item in items]
    known = _kept(kept, frozenset(keys)) if kept else {}
    missing = {key: item for key, item in zip(keys, items, strict=True) if key not in known}
    on_progress(len(items) - len(missing), len(items))
    if missing:
        names, fresh = list(missing), dict[str, Likelihood]()

        def keep() -> None:
            if kept:
                lines = (json.dumps([k, f.log_probabilities, _flags(f)]) for k, f in fresh.items())
                shard = kept / f"{digest(sorted(fresh))[:24]}.jsonl"
                write_atomic(shard, "".join(f"{line}\n" for line in lines))
            known.update(fresh)
            fresh.clear()

        for place, found in log_likelihoods(load_model(model, dtype), list(missing.values())):
            fresh[names[place]] = found
            if len(fresh) >= _SHARD:
                keep()
                on_progress(len(items) - len(missing.keys() - known.keys()), len(items))
        if fresh:
            keep()
        on_progress(len(items), len(items))
    return [known[key] for key in keys]


def log_likelihoods(
    loaded: LoadedModel, items: Sequence[Continuation], batch_tokens: int = BATCH_TOKENS
) -> Iterator[tuple[int, Likelihood]]:
    """Yield (place, likelihood) of every item, in no particular order.

    Rows are padded at their end, where causal attention lets nothing be seen of it. Items with one context (the choices of a
    question, say) are read after keys and values of it that are computed once, where the model is one that
    `growing_cache.supports`.
    """
    import torch

    by_context: dict[tuple[int, ...], list[int]] = {}
    for place, item in enumerate(items):
        by_context.setdefault(item.context, []).append(place)
    can_share = loaded.whole and growing_cache.supports(loaded.model.config)
    apart: list[int] = []
    with torch.inference_mode():
        for context, places in by_context.items():
            if not can_share or len(places) == 1 or len(context) == 1:
                apart += places
                continue
            before = _read(loaded.model, context[:-1])
            rows = {place: (context[-1:], items[place].target) for place in places}
            for batch in _batches(rows, batch_tokens, len(context) - 1):
                cache = growing_cache.merged([(before, 0, len(context) - 1)] * len(batch))
                yield from _scored(loaded.model, batch, rows, cache, len(context) - 1)
        rows = {place: (items[place].context, items[place].target) for place in apart}
        for batch in _batches(rows, batch_tokens, 0):
            yield from _scored(loaded.model, batch, rows, None, 0)


_Rows = dict[int, tuple[tuple[int, ...], tuple[int, ...]]]


def _batches(rows: _Rows, batch_tokens: int, before: int) -> Iterator[list[int]]:
    """Places of rows of about one length, the longest first; `before` positions of each are in the cache already."""
    batch: list[int] = []
    for place in sorted(rows, key=lambda p: -len(rows[p][0]) - len(rows[p][1])):
        longest = batch[0] if batch else place
        width = before // 8 + len(rows[longest][0]) + len(rows[longest][1])  # a cached position costs little
        if batch and (len(batch) + 1) * width > batch_tokens:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def _read(model: Any, context: Sequence[int]) -> Any:
    import torch

    cache = growing_cache.new_cache(model.config.num_hidden_layers)
    ids = torch.tensor([list(context)], device=model.device)
    model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
    return cache


def _scored(
    model: Any, batch: list[int], rows: _Rows, cache: Any, before: int
) -> Iterator[tuple[int, Likelihood]]:
    import torch

    # The last token of a target tells nothing of another: it is not read.
    given = [[*rows[place][0], *rows[place][1][:-1]] for place in batch]
    width = max(map(len, given))
    ids = torch.tensor([row + [0] * (width - len(row)) for row in given], device=model.device)
    first = min(len(rows[place][0]) for place in batch) - 1  # where the first target's first token is told
    if cache is None:
        logits = model(input_ids=ids, use_cache=False, logits_to_keep=width - first).logits
    else:
        positions = torch.arange(before, before + width, device=model.device)[None].expand(len(batch), -1)
        logits = model(
            input_ids=ids,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=width - first,
        ).logits
    for number, place in enumerate(batch):
        context, target = rows[place]
        begin = len(context) - 1 - first
        told = logits[number, begin : begin + len(target)].float()
        wanted = torch.tensor(target, device=told.device)
        found = told.gather(1, wanted[:, None])[:, 0] - told.logsumexp(dim=1)
        yield place, Likelihood(_rounded(found.tolist()), tuple((told.argmax(dim=1) == wanted).tolist()))


def _rounded(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(
        float(f"{value:.7g}") for value in values
    )  # what a float32 holds, and what is kept is the same


def _flags(found: Likelihood) -> str:
    return "".join("1" if flag else "0" for flag in found.greedy)


def _kept(folder: Path, keys: frozenset[str]) -> dict[str, Likelihood]:
    known: dict[str, Likelihood] = {}
    for shard in sorted(folder.glob("*.jsonl")):
        for line in shard.read_text(encoding="utf-8").splitlines():
            key, values, flags = json.loads(line)
            if key in keys:
                known[key] = Likelihood(tuple(values), tuple(flag == "1" for flag in flags))
    return known
