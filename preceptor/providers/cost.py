"""What a provider's fine-tuning costs: estimated before, recorded after, and said not to be known where it is not."""

from __future__ import annotations

import re
from dataclasses import dataclass

from preceptor.planning import FineTuning, Prices, TokenPrice
from preceptor.settings import ProviderSettings

_MILLION = 1_000_000
_SNAPSHOT = re.compile(r"-\d{4}-\d{2}-\d{2}$")


@dataclass(frozen=True, slots=True)
class Cost:
    """US dollars for so many trained tokens. `dollars` None: the price, or the number of tokens, is not known.

    `as_of`, `source` and `certain` are of the price; None where there is none.
    """

    trained_tokens: int | None
    dollars: float | None
    per_million: float | None
    as_of: str | None
    certain: bool | None
    source: str | None


def price_of(prices: Prices, settings: ProviderSettings) -> FineTuning | None:
    """The price of the provider's model by the price list that the settings name; None where there is none."""
    return next(
        (p for p in prices.finetuning if (p.provider, p.model) == (settings.price_list, settings.model)), None
    )


def price_as_it_is(prices: Prices, settings: ProviderSettings) -> TokenPrice | None:
    """The price of the provider's model when nothing was tuned; a date at the end of its name is a snapshot of the same."""
    model = _SNAPSHOT.sub("", settings.model)
    return next(
        (p for p in prices.api if p.provider == settings.price_list and p.model in (settings.model, model)),
        None,
    )


def training_cost(trained_tokens: int | None, price: FineTuning | None) -> Cost:
    """The cost of training so many tokens: every example counts once for each epoch."""
    rate = price.training if price else None
    known = rate is not None and trained_tokens is not None
    return Cost(
        trained_tokens,
        round(trained_tokens * rate / _MILLION, 4) if known else None,  # type: ignore[operator]
        rate,
        price.as_of.isoformat() if price else None,
        price.certain if price else None,
        price.source if price else None,
    )


def answering_cost(
    prompt_tokens: int, new_tokens: int, price: FineTuning | TokenPrice | None
) -> float | None:
    """US dollars for asking a model; None where the price is not known."""
    if price is None or price.input is None or price.output is None:
        return None
    return round((prompt_tokens * price.input + new_tokens * price.output) / _MILLION, 6)


def said(dollars: float | None) -> str:
    """For people.

    >>> said(None)
    'not known'
    >>> said(3.5)
    '$3.50'
    """
    return "not known" if dollars is None else f"${dollars:,.2f}"
