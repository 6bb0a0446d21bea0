"""Ages: kept up to 89, above that one category (45 CFR 164.514(b)(2)(i)(C))."""

from __future__ import annotations

import regex

from preceptor.deid.surrogates.number_words import CARDINAL, number
from preceptor.deid.types import OLDEST_AGE_KEPT

_NINETIES = regex.compile(r"(?i)nineties|\b90['’]?s\b")
_DIGITS = regex.compile(r"\d{1,3}")
_IN_WORDS = regex.compile(rf"(?i)\b{CARDINAL}\b")
_UNIT = regex.compile(r"\b(?:\d+\s*-?)?(months?|mos?|weeks?|wks?|days?)\b")
_YEARS_PER = (("month", 12), ("mo", 12), ("week", 52), ("wk", 52), ("day", 365))


def age_of(text: str) -> int | None:
    """The age in years that a span tells, in digits or in words; nothing if it tells none.

    >>> age_of("93 y/o"), age_of("ninety one"), age_of("eleven months"), age_of("in her nineties")
    (93, 91, 0, 95)
    """
    low = text.lower()
    if _NINETIES.search(low):
        return 95
    if m := _DIGITS.search(low):
        value: int | None = int(m.group())
    else:
        found = _IN_WORDS.search(low)
        value = number(found.group()) if found else None
    if value is None:
        return None
    unit = _UNIT.search(low)
    per = next((n for name, n in _YEARS_PER if unit and unit[1].startswith(name)), 1)
    return value // per


def capped(text: str) -> str:
    """An age as it may stay: that over 89 becomes "90+", with what stands around it ("93-year-old": "90+-year-old")."""
    age = age_of(text)
    if age is None or age <= OLDEST_AGE_KEPT:
        return text
    if _NINETIES.search(text):
        return f"{text} or older"
    if m := _DIGITS.search(text) or _IN_WORDS.search(text):
        return text[: m.start()] + "90+" + text[m.end() :]
    return "90+"
