"""Numbers of a text with their units, in digits or in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from preceptor.evaluation.clinical.tokens import Token

_UNITS = {w: i for i, w in enumerate("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    " fifteen sixteen seventeen eighteen nineteen".split())}  # fmt: skip
_TENS = {w: 10 * i for i, w in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}
_UNIT_NAMES = {
    name: unit
    for unit, names in {
        "mg": "mg mgs milligram milligrams", "mcg": "mcg ug µg microgram micrograms", "g": "g gm gram grams",
        "kg": "kg kgs kilo kilos kilogram kilograms", "lb": "lb lbs pound pounds", "unit": "unit units iu u",
        "puff": "puff puffs", "tablet": "tablet tablets tab tabs pill pills capsule capsules cap caps",
        "drop": "drop drops gtt gtts", "ml": "ml mls cc milliliter milliliters millilitre millilitres", "meq": "meq",
        "%": "% percent", "hour": "hour hours hr hrs h", "minute": "minute minutes min mins", "second": "second seconds sec",
        "day": "day days d", "week": "week weeks wk wks", "month": "month months mo mos", "year": "year years yr yrs",
        "cm": "cm centimeter centimeters centimetre centimetres", "mm": "mm millimeter millimeters millimetre millimetres",
        "inch": "inch inches", "foot": "feet ft", "degree": "degree degrees °", "bpm": "bpm beats", "breath": "breaths", "fahrenheit": "fahrenheit °f", "celsius": "celsius °c", "pack": "pack packs",
    }.items()
    for name in names.split()
}  # fmt: skip
DOSE_UNITS = frozenset(("mg", "mcg", "g", "unit", "puff", "tablet", "drop", "ml", "meq", "%"))
TIME_UNITS = frozenset(("hour", "minute", "second", "day", "week", "month", "year"))
_FOR = frozenset(
    "for about in over within past nearly almost after than been last".split()
)  # "for a week", not "twice a week"


class Quantity(NamedTuple):
    """A number: tokens `first` to `last` (not included), with its unit, if it has one, among them."""

    value: float
    unit: str
    first: int
    last: int


def quantities(tokens: Sequence[Token]) -> list[Quantity]:
    """Return the numbers of a text in their order."""
    found: list[Quantity] = []
    at = 0
    while at < len(tokens):
        read = _number(tokens, at)
        if read is None:
            at += 1
            continue
        value, last = read
        behind = last + (last < len(tokens) and tokens[last].raw == "-")
        unit = _unit(tokens, behind)
        found.append(Quantity(value, unit, at, behind + 1 if unit else last))
        at = found[-1].last
    return found


def _unit(tokens: Sequence[Token], at: int) -> str:
    if at >= len(tokens):
        return ""
    raw = tokens[at].raw
    unit = _UNIT_NAMES.get(raw.lower(), _UNIT_NAMES.get(tokens[at].word, ""))
    # one-letter units need the number before them at once: "5 d" is five days, "4 U" units, "2 h" hours
    return unit if len(raw) > 1 or not raw.isalpha() or raw in ("g", "h", "d", "U") else ""


def _number(tokens: Sequence[Token], at: int) -> tuple[float, int] | None:
    token = tokens[at]
    if token.raw[0].isdigit():
        plain = re.sub(r",(?=\d{3}\b)", "", token.raw).replace(",", ".")
        return (float(plain), at + 1) if plain.count(".") < 2 else None
    return _spoken(tokens, at)


def _spoken(tokens: Sequence[Token], at: int) -> tuple[float, int] | None:
    """Read a number in words: "sixty-two", "one hundred and five", "one sixty" (160), "ninety eight point six", "a couple"."""
    total, group, seen, place = 0.0, 0.0, False, at
    while place < len(tokens):
        word = tokens[place].raw.lower()
        if word in _TENS:
            group = group * 100 + _TENS[word] if seen and 0 < group < 10 else group + _TENS[word]
        elif word in _UNITS and not (seen and group % 10):
            group += _UNITS[word]
        elif word == "hundred" and seen:
            group *= 100
        elif word == "thousand" and seen:
            total, group = total + group * 1000, 0.0
        elif word == "point" and seen and place + 1 < len(tokens) and tokens[place + 1].raw.lower() in _UNITS:
            return total + group + _UNITS[tokens[place + 1].raw.lower()] / 10, place + 2
        elif not (word in ("-", "and") and seen and _continues(tokens, place)):
            break
        seen = seen or word != "-"
        place += 1
    if seen:
        return total + group, place
    low = [token.raw.lower() for token in tokens[at : at + 4]]
    if low[:2] == ["a", "couple"]:
        return 2.0, at + (3 if low[2:3] == ["of"] else 2)
    if (
        low[:1] in (["a"], ["an"])
        and len(low) > 1
        and _UNIT_NAMES.get(low[1]) in TIME_UNITS
        and len(low[1]) > 2
    ):
        before = tokens[at - 1].word if at else ""
        return (1.0, at + 1) if before in _FOR or low[2:3] in (["ago"], ["or"]) else None
    return None


def _continues(tokens: Sequence[Token], place: int) -> bool:
    """Whether a number goes on behind "-" or "and": only a hundred does behind "and"."""
    if place + 1 >= len(tokens):
        return False
    word, before = tokens[place + 1].raw.lower(), tokens[place - 1].raw.lower()
    if tokens[place].raw == "-":
        return before in _TENS and word in _UNITS
    return before in ("hundred", "thousand") and (word in _UNITS or word in _TENS)
