"""Keys and values of a batch in buffers with room to grow, as a cache that Transformers' models take.

Only for models whose every layer attends to all positions (`supports`); the others are left to `generate`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache as once
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import DynamicCache

ROOM = 64  # positions added whenever a buffer is full


def supports(config: Any) -> bool:
    """Whether every layer of a model with this configuration keeps the keys and values of all positions."""
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    return all(type(layer) is DynamicLayer for layer in DynamicCache(config=config).layers)


def new_cache(layers: int) -> DynamicCache:
    """Return an empty cache."""
    from transformers import DynamicCache

    cache = DynamicCache()
    cache.layers = [_layer_type()() for _ in range(layers)]
    return cache


def head(cache: DynamicCache, positions: int) -> DynamicCache:
    """Return a cache that begins with the first `positions` of another, which stays as it is."""
    result = new_cache(len(cache.layers))
    for layer, old in zip(result.layers, cache.layers, strict=True):
        layer.begin_with(old.keys[:, :, :positions], old.values[:, :, :positions])
    return result


def merged(rows: Sequence[tuple[DynamicCache, int, int]]) -> DynamicCache:
    """Return one cache of several rows, each given as (cache, row in it, its last so many positions).

    Rows end together and are padded at the left:

        a1 a2 a3        . a1 a2 a3
        b1 b2 b3 b4  →  b1 b2 b3 b4
        c1              . . . c1
    """
    width = max(length for _, _, length in rows)
    result = new_cache(len(rows[0][0].layers))
    for number, layer in enumerate(result.layers):
        like = rows[0][0].layers[number]
        layer.allocate(like.keys, like.values, len(rows), width)
        for place, (cache, row, length) in enumerate(rows):
            old = cache.layers[number]
            layer.keys[place, :, width - length :] = old.keys[row, :, -length:]
            layer.values[place, :, width - length :] = old.values[row, :, -length:]
    return result


@once
def _layer_type() -> Any:
    from transformers.cache_utils import DynamicLayer

    class GrowingLayer(DynamicLayer):
        """One layer's `keys` and `values`, `[rows, heads, positions, size]`: the written parts of two
        buffers.

        Transformers' own layer joins each new position by copying all the old ones; this one writes it.
        """

        buffers: tuple[torch.Tensor, torch.Tensor] | None = None

        def begin_with(self, keys: torch.Tensor, values: torch.Tensor) -> None:
            """Take these for the first positions; they are copied at the first update, and never written to."""
            self.lazy_initialization(keys, values)
            self.keys, self.values = keys, values

        def allocate(self, keys: torch.Tensor, values: torch.Tensor, rows: int, width: int) -> None:
            """Make zeroed room for `rows` of `width` positions (and more), of the kind of `keys` and `values`."""
            self.lazy_initialization(keys, values)
            self.buffers = (
                keys.new_zeros((rows, keys.shape[1], width + ROOM, keys.shape[3])),
                values.new_zeros((rows, values.shape[1], width + ROOM, values.shape[3])),
            )
            self.keys, self.values = self.buffers[0][:, :, :width], self.buffers[1][:, :, :width]

        def update(
            self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
        ) -> tuple[torch.Tensor, torch.Tensor]:
            before = self.get_seq_length()
            after = before + key_states.shape[2]
            if self.buffers is None or self.buffers[0].shape[2] < after:
                old_keys, old_values = self.keys, self.values
                self.allocate(key_states, value_states, key_states.shape[0], after)
                if before:
                    self.keys[:, :, :before] = old_keys
                    self.values[:, :, :before] = old_values
            assert self.buffers is not None
            keys, values = self.buffers
            keys[:, :, before:after] = key_states
            values[:, :, before:after] = value_states
            self.keys, self.values = keys[:, :, :after], values[:, :, :after]
            return self.keys, self.values

    return GrowingLayer
