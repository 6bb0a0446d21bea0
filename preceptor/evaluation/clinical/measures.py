"""What is measured: vital signs, laboratory values, scores and ages by name, other numbers by their unit."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from preceptor.evaluation.clinical.lexicon import LEXICONS
from preceptor.evaluation.clinical.quantities import TIME_UNITS, Quantity
from preceptor.evaluation.clinical.tokens import Token, words

_PLAIN_UNITS = TIME_UNITS | {
    "cm",
    "mm",
    "inch",
    "foot",
    "degree",
    "%",
    "mg",
    "mcg",
    "g",
    "kg",
    "lb",
    "ml",
    "pack",
}
# Words between the name of a measure and its value.
_FILLERS = frozenset("was is of at : = - , ( ) to the a in today now score level count value reading been has came back remains dropped fell rose went improved decreased increased estimated measured calculated about"
    " around approximately only down up from on arrival this morning elevated high low normal stable > < ~ your his her and it".split())  # fmt: skip
_EACH = frozenset("every each per q twice once times".split())  # an interval, such as that of a dose
_BACK = 7  # tokens between the name of a measure and its value


class Measure(NamedTuple):
    """`name` is empty for a number that has a unit alone; `value` is "148/92", "9.8" or "3 week"."""

    name: str
    value: str
    first: int
    last: int


@cache
def _names() -> dict[tuple[str, ...], str]:
    found = {}
    for line in (LEXICONS / "measures.txt").read_text(encoding="utf-8").splitlines():
        if line.strip() and not line.startswith("#"):
            name, *others = (part.strip() for part in line.split("|"))
            found.update({words(phrase): name for phrase in (name, *others)})
    return found


def measures(tokens: Sequence[Token], found: Sequence[Quantity], first: int, last: int) -> list[Measure]:
    """Return what is measured in the sentence of tokens `first` to `last` (not included); `found` are its quantities that are
    no dose."""
    if not found:
        return []
    named, skip = _named(tokens, first, last), -1
    result: list[Measure] = []
    for here, quantity in enumerate(found):
        if quantity.first < skip:
            continue
        name = _name_before(tokens, named, quantity.first)
        second = found[here + 1] if here + 1 < len(found) else None
        ratio = second and _ratio(tokens, quantity, second, name)
        if ratio and second:
            result.append(Measure(*ratio, quantity.first, second.last))
            skip = second.last
        elif age := _age_end(tokens, quantity, name):
            result.append(Measure("age", f"{quantity.value:g} year", quantity.first, age))
        elif unmistaken := _by_unit(tokens, quantity):
            result.append(Measure(unmistaken, f"{quantity.value:g}", quantity.first, quantity.last))
        elif name and name != "age":
            result.append(Measure(name, f"{quantity.value:g}", quantity.first, quantity.last))
        elif quantity.unit in _PLAIN_UNITS and not (
            first < quantity.first and tokens[quantity.first - 1].word in _EACH
        ):
            result.append(Measure("", f"{quantity.value:g} {quantity.unit}", quantity.first, quantity.last))
    return result


def _named(tokens: Sequence[Token], first: int, last: int) -> list[tuple[str, int]]:
    """The names of measures in a sentence, with the place behind them."""
    names, found, at = _names(), [], first
    while at < last:
        for length in (4, 3, 2, 1):
            inside = [token for token in tokens[at : min(at + length + 2, last)] if token.raw not in "-/"][
                :length
            ]
            name = names.get(tuple(token.word for token in inside)) if len(inside) == length else None
            if name:
                at = next(i for i in range(at, last) if tokens[i] is inside[-1]) + 1
                found.append((name, at))
                break
        else:
            at += 1
    return found


def _name_before(tokens: Sequence[Token], named: Sequence[tuple[str, int]], place: int) -> str:
    for name, end in reversed(named):
        if end <= place:
            between = tokens[end:place]
            near = len(between) <= _BACK and all(
                t.word in _FILLERS or t.raw.lower() in _FILLERS for t in between
            )
            return name if near else ""
    return ""


def _ratio(tokens: Sequence[Token], one: Quantity, other: Quantity, name: str) -> tuple[str, str] | None:
    between = [token.raw.lower() for token in tokens[one.last : other.first]]
    if one.unit or between not in (["/"], ["over"], ["by"], ["out", "of"], ["of"]):
        return None
    if (other.last < len(tokens) and tokens[other.last].raw == "/") or (
        one.first and tokens[one.first - 1].raw == "/"
    ):
        return None  # a date
    value = f"{one.value:g}/{other.value:g}"
    if between == ["by"] and name != "blood pressure":
        return None
    if between in (["/"], ["over"], ["by"]) and 60 <= one.value <= 270 and 30 <= other.value < one.value:
        return "blood pressure", value
    if name == "strength" or (between == ["/"] and other.value == 5 and one.value <= 5):
        return "strength", value
    if other.value == 10 and one.value <= 10 and between != ["of"]:
        return "pain score", value
    return (name, value) if name and name not in ("blood pressure", "age") else None


def _by_unit(tokens: Sequence[Token], quantity: Quantity) -> str:
    """What is measured where the unit alone says it: "102 F", "48 bpm"."""
    letter = tokens[quantity.last].raw if not quantity.unit and quantity.last < len(tokens) else ""
    degrees = quantity.unit in ("fahrenheit", "celsius", "degree") or letter in ("F", "C")
    if degrees and (
        93 <= quantity.value <= 109 or (34 <= quantity.value <= 43 and quantity.unit != "degree")
    ):
        return "temperature"
    return {"bpm": "heart rate", "breath": "respiratory rate"}.get(quantity.unit, "")


def _age_end(tokens: Sequence[Token], quantity: Quantity, name: str) -> int | None:
    """Where an age ends: "71-year-old", "71 yo", "71 y/o", "62 years of age", "aged 52"."""
    at = quantity.last
    rest = [token.raw.lower() for token in tokens[at : at + 3]]
    if quantity.unit == "year" and rest[:1] in (["-"], ["old"]) and "old" in rest[:2]:
        return at + rest.index("old") + 1
    if quantity.unit == "year" and rest[:2] == ["of", "age"]:
        return at + 2
    if not quantity.unit and rest[:1] in (["yo"], ["y.o."], ["y.o"]):
        return at + 1
    if not quantity.unit and rest == ["y", "/", "o"]:
        return at + 3
    return quantity.last if name == "age" and quantity.value < 120 and quantity.unit in ("", "year") else None
