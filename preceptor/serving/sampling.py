"""The next token of one row: the likeliest, or one drawn by temperature and nucleus (Holtzman et al. 2020)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Sampling:
    """`temperature` 0 takes the likeliest token, as evaluation does. `seed` makes draws repeatable on one machine."""

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None

    def generator(self) -> Any:
        """A source of chance for one answer; None where none is needed."""
        import torch

        if self.temperature == 0:
            return None
        drawn = torch.Generator()
        if self.seed is None:
            drawn.seed()
        else:
            drawn.manual_seed(self.seed)
        return drawn

    def choose(self, logits: Any, generator: Any) -> int:
        """A token by its `logits`, `[vocabulary]`."""
        import torch

        if self.temperature == 0:
            return int(logits.argmax())
        shares = torch.softmax(logits.float().cpu() / self.temperature, dim=-1)
        if self.top_p < 1:
            ordered, places = shares.sort(descending=True)
            # A token stays if what stands before it does not fill the nucleus yet: the first always does.
            ordered[(ordered.cumsum(0) - ordered) >= self.top_p] = 0
            return int(places[torch.multinomial(ordered, 1, generator=generator)])
        return int(torch.multinomial(shares, 1, generator=generator))
