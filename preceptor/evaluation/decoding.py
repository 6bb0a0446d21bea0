"""Greedy decoding of many prompts at once: the tensor part of generation.

What makes it faster than one `generate` call per prompt:

- Many rows are decoded together: the weights are read from memory once per step, not once per row and step.
- A row that has ended gives its place to the next prompt, so that few steps are spent on rows that are done.
- A prompt begins from the keys and values of the prompt before it, as far as both are the same: the system
  line, the instruction and few-shot examples are computed once. Prompts are taken in the order of their
  tokens for that.
- Prompts are read one by one without padding, and only the last position's logits are computed.
- Keys and values go into buffers with room to grow; Transformers' cache copies itself whole at every step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from preceptor.evaluation.growing_cache import head, merged, new_cache

if TYPE_CHECKING:
    from transformers import DynamicCache

REFILL_SHARE = 0.25  # the batch is rebuilt when this share of its rows has ended: that copies the cache once


@dataclass(frozen=True, slots=True)
class Decoded:
    """New tokens of one prompt without the one that ended it; `finished` is False if the limit cut it off."""

    ids: list[int]
    finished: bool


@dataclass(slots=True)
class _Row:
    """One prompt in the batch: where its keys and values are, and the token that comes next."""

    index: int
    cache: DynamicCache
    place: int
    length: int  # positions in the cache
    token: int
    ids: list[int] = field(default_factory=list)


def greedy(
    model: Any,
    prompts: Sequence[Sequence[int]],
    *,
    rows: int,
    max_new_tokens: int,
    end_ids: frozenset[int],
    on_decoded: Callable[[int, Decoded], None],
) -> None:
    """Continue every prompt (token ids, not empty) greedily by at most `max_new_tokens`, `rows` at a time.

    `on_decoded(index, decoded)` gets each result as soon as it is there, in no particular order. A
    continuation ends before the first token of `end_ids`. In exact arithmetic it is that of
    `model.generate(do_sample=False)` on the prompt alone; in bfloat16 a near-tie may fall the other way. The
    model must be one that `growing_cache.supports`.
    """
    import torch

    def has_ended(row: _Row) -> bool:
        return row.token in end_ids or len(row.ids) + 1 >= max_new_tokens

    def report(row: _Row) -> None:
        finished = row.token in end_ids
        on_decoded(row.index, Decoded(row.ids if finished else [*row.ids, row.token], finished))

    waiting = sorted(range(len(prompts)), key=lambda i: tuple(prompts[i]), reverse=True)
    active: list[_Row] = []
    before: tuple[Sequence[int], DynamicCache] | None = None  # the prompt read last, and its keys and values
    with torch.inference_mode():
        while waiting or active:
            while waiting and len(active) < rows:
                index = waiting.pop()
                row = _read(model, index, prompts[index], before)
                before = prompts[index], row.cache
                if has_ended(row):
                    report(row)
                else:
                    active.append(row)
            if active:
                cache = merged([(row.cache, row.place, row.length) for row in active])
                _decode(model, active, cache, has_ended)
                for row in active:
                    if has_ended(row):
                        report(row)
                active = [row for row in active if not has_ended(row)]


def _read(
    model: Any, index: int, prompt: Sequence[int], before: tuple[Sequence[int], DynamicCache] | None
) -> _Row:
    """Run the model over one prompt, beginning where it differs from the prompt read before."""
    import torch

    shared = common_prefix(before[0], prompt) if before else 0
    cache = head(before[1], shared) if before and shared else new_cache(model.config.num_hidden_layers)
    device = next(model.parameters()).device
    logits = model(
        input_ids=torch.tensor([list(prompt[shared:])], device=device),
        position_ids=torch.arange(shared, len(prompt), device=device)[None],
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    ).logits
    return _Row(index, cache, 0, len(prompt), int(logits[0, -1].argmax()))


def _decode(model: Any, active: list[_Row], cache: DynamicCache, has_ended: Callable[[_Row], bool]) -> None:
    """Write tokens to all rows, whose keys and values stand in `cache` in this order, until enough have ended."""
    import torch

    device = next(model.parameters()).device
    width = cache.get_seq_length()
    mask = torch.tensor([[0] * (width - row.length) + [1] * row.length for row in active], device=device)
    positions = torch.tensor([[row.length] for row in active], device=device)
    enough = max(1, int(REFILL_SHARE * len(active)))
    for place, row in enumerate(active):
        row.cache, row.place = cache, place
    running = list(active)
    while len(active) - len(running) < enough:
        mask = torch.cat([mask, mask.new_ones((len(active), 1))], dim=1)
        logits = model(
            input_ids=torch.tensor([[row.token] for row in active], device=device),
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits
        positions = positions + 1
        tokens = logits[:, -1].argmax(dim=-1).tolist()
        for row in running:
            row.ids.append(row.token)
            row.token = tokens[row.place]
            row.length += 1
        running = [row for row in running if not has_ended(row)]


def common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many leading tokens both share, leaving `other` at least one of its own."""
    limit = min(len(one), len(other) - 1)
    length = 0
    while length < limit and one[length] == other[length]:
        length += 1
    return length
