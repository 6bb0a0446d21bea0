"""Drugs of a text and the doses written beside them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from preceptor.evaluation.clinical.lexicon import Match
from preceptor.evaluation.clinical.quantities import DOSE_UNITS, Quantity
from preceptor.evaluation.clinical.tokens import Token

_REACH = 14  # tokens behind a drug's name in which its dose stands
_COUNTS = ("tablet", "puff", "drop")  # these say how many, and give way to a strength beside them
_MILLIGRAMS = {"g": 1000.0, "mg": 1.0, "mcg": 0.001}
# How often a day. The order matters: "every other day" before "every day".
_FREQUENCIES = tuple(
    (re.compile(rf"(?<!\w)(?:{pattern})(?!\w)", re.I), times)
    for pattern, times in (
        (r"every other day|q\.?o\.?d|every 2 days|every two days|alternate days", 0.5),
        (r"(?:twice|two times|2 times|2x|2 x) (?:a|per|each|every)? ?(?:day|daily)|b\.?i\.?d\.?|twice daily|morning and (?:evening|night)", 2.0),
        (r"(?:three times|3 times|3x|3 x|thrice) (?:a|per|each|every)? ?(?:day|daily)|t\.?i\.?d\.?|three times daily", 3.0),
        (r"(?:four times|4 times|4x|4 x) (?:a|per|each|every)? ?(?:day|daily)|q\.?i\.?d\.?", 4.0),
        (r"(?:once|one time|twice)? ?(?:a|per|every) week|weekly|once weekly", 1 / 7),
        (r"(?:once|one time) (?:a|per) month|monthly", 1 / 30),
        (r"(?:once|one time|1 time)? ?(?:a|per|every|each) (?:day|night|evening|morning)|once daily|daily|q\.?d|q\.?a\.?m\.?|q\.?p\.?m\.?|q\.?h\.?s\.?|"
         r"nightly|at bedtime|at night|bedtime|in the (?:morning|evening)", 1.0),
    )
)  # fmt: skip
_EVERY_HOURS = re.compile(r"(?<!\w)(?:every|q) ?(\d+|four|six|eight|twelve) ?(?:hours?|hrs?|h)(?!\w)", re.I)
_HOURS = {"four": 4, "six": 6, "eight": 8, "twelve": 12}
_ROUTES = {
    "po": "oral", "oral": "oral", "orally": "oral", "mouth": "oral", "iv": "intravenous", "intravenous": "intravenous",
    "intravenously": "intravenous", "im": "intramuscular", "intramuscular": "intramuscular", "sc": "subcutaneous",
    "subq": "subcutaneous", "sq": "subcutaneous", "subcutaneous": "subcutaneous", "topical": "topical", "topically": "topical",
    "cream": "topical", "ointment": "topical", "inhaler": "inhaled", "inhaled": "inhaled", "nebulizer": "inhaled", "nebulized": "inhaled",
    "sublingual": "sublingual", "rectal": "rectal", "patch": "transdermal", "eyedrops": "eye",
}  # fmt: skip


class Dose(NamedTuple):
    """What is taken of a drug at once: `amount` in `unit` (masses in mg), `often` a day (None: not written), `route`."""

    drug: int  # the drug's place in the list that `doses` was given
    amount: float
    unit: str
    often: float | None
    route: str
    first: int
    last: int


def often(text: str) -> float | None:
    """Return how many times a day something is taken; None if the text does not say.

    >>> often("one tablet every 6 hours"), often("at bedtime"), often("as needed")
    (4.0, 1.0, None)
    """
    hours = _EVERY_HOURS.search(text)
    if hours:
        return 24 / (_HOURS.get(hours[1].lower()) or int(hours[1]) or 24)
    return next((times for pattern, times in _FREQUENCIES if pattern.search(text)), None)


def in_milligrams(value: float, unit: str) -> tuple[float, str]:
    """Return a mass in milligrams; other units as they are."""
    return (round(value * _MILLIGRAMS[unit], 6), "mg") if unit in _MILLIGRAMS else (value, unit)


def doses(
    text: str, tokens: Sequence[Token], drugs: Sequence[Match], found: Sequence[Quantity], end: int
) -> list[Dose]:
    """Return the doses of the drugs of a sentence whose last token is before `end`.

    A dose stands right before its drug ("81 mg of aspirin") or behind it, before the next drug's. Of a strength and a number
    of tablets side by side the strength is the dose; where a dose is changed ("from 500 mg to 1000 mg") both are.
    """
    usable = [q for q in found if q.unit in DOSE_UNITS]
    result: list[Dose] = []
    bounds = [*(d.first for d in drugs[1:]), end][: len(drugs)]
    for place, (drug, bound) in enumerate(zip(drugs, bounds, strict=True)):
        taken = {dose.first for dose in result}
        before = [
            q
            for q in usable
            if 0 <= drug.first - q.last <= 1 and q.first not in taken and _of(tokens, q, drug)
        ]
        after = [
            q for q in usable
            if drug.last <= q.first < min(bound, drug.last + _REACH) and not _belongs_to_next(tokens, q, drugs, place)
        ]  # fmt: skip
        chosen = before or after
        if any(q.unit not in _COUNTS for q in chosen):
            chosen = [q for q in chosen if q.unit not in _COUNTS]
        for number, quantity in enumerate(chosen):
            until = chosen[number + 1].first if number + 1 < len(chosen) else bound
            until = min(until, max(quantity.last, drug.last) + _REACH)
            said = text[tokens[quantity.first].start : tokens[until - 1].end]
            amount, unit = in_milligrams(quantity.value, quantity.unit)
            route = next(
                (_ROUTES[t.raw.lower()] for t in tokens[drug.first : until] if t.raw.lower() in _ROUTES), ""
            )
            result.append(Dose(place, amount, unit, often(said), route, quantity.first, quantity.last))
    return result


def _of(tokens: Sequence[Token], quantity: Quantity, drug: Match) -> bool:
    return all(token.word == "of" for token in tokens[quantity.last : drug.first])


def _belongs_to_next(tokens: Sequence[Token], quantity: Quantity, drugs: Sequence[Match], place: int) -> bool:
    """Whether an amount stands right before the next drug: "lisinopril and 81 mg of aspirin"."""
    if place + 1 >= len(drugs):
        return False
    following = drugs[place + 1]
    return (
        0 <= following.first - quantity.last <= 1
        and _of(tokens, quantity, following)
        and following.first > quantity.last - 1
    )
