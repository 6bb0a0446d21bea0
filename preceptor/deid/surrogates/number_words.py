"""Numbers as they are dictated: "ninety one", "the fourteenth", "twenty twenty four"."""

from __future__ import annotations

import regex

ONES = tuple(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen".split()
)
TENS = tuple("twenty thirty forty fifty sixty seventy eighty ninety".split())
_VALUES = {w: n for n, w in enumerate(ONES)} | {w: 10 * n for n, w in enumerate(TENS, 2)}
_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth "
    "fifteenth sixteenth seventeenth eighteenth nineteenth twentieth twenty-first twenty-second twenty-third "
    "twenty-fourth twenty-fifth twenty-sixth twenty-seventh twenty-eighth twenty-ninth thirtieth thirty-first"
).split()
_ORDINAL_VALUES = {w: n for n, w in enumerate(_ORDINALS, 1)}

_TENS, _TEENS = "|".join(TENS), "|".join(sorted(ONES[1:], key=len, reverse=True))
# Patterns to build larger ones from. Each matches words only.
CARDINAL = rf"(?:(?:{_TENS})(?:[- ](?:{'|'.join(ONES[1:10])}))?|{_TEENS})"
ORDINAL = rf"(?:{'|'.join(w.replace('-', '[- ]') for w in sorted(_ORDINALS, key=len, reverse=True))})"
YEAR = rf"(?:(?:nineteen|twenty)[- ](?:oh[- ])?{CARDINAL}|two thousand(?: and)?(?: {CARDINAL})?)"
_CARDINAL = regex.compile(CARDINAL)
_LETTERS = regex.compile(r"\p{L}+")


def number(words: str) -> int | None:
    """The value of a cardinal or ordinal in words; nothing for words that are none.

    >>> number("ninety one"), number("the fourteenth"), number("soon")
    (91, 14, None)
    """
    low = words.lower().strip().removeprefix("the ")
    ordinal = _ORDINAL_VALUES.get("-".join(low.split()))
    if ordinal:
        return ordinal
    if not _CARDINAL.fullmatch(low):
        return None
    return sum(_VALUES[part] for part in _LETTERS.findall(low))


def year_number(words: str) -> int | None:
    """The value of a year in words; two digits are returned as they are.

    >>> year_number("twenty twenty four"), year_number("nineteen oh five"), year_number("ninety nine")
    (2024, 1905, 99)
    """
    low = words.lower().replace("-", " ")
    said = low.split()
    if not low.startswith(("nineteen ", "two ")) and len(said) < 3 and said[-1] in ONES[:10]:
        return number(low)
    if len(said) == 1:
        return number(low)
    if low.startswith("two thousand"):
        rest = low.removeprefix("two thousand").replace(" and ", " ").strip()
        return 2000 + (number(rest) or 0 if rest else 0)
    century, *rest_words = said
    rest_value = number(" ".join(w for w in rest_words if w != "oh"))
    return None if rest_value is None else _VALUES[century] * 100 + rest_value


def cardinal(n: int) -> str:
    """`n` (0 to 99) in words, without a hyphen, as dictation has it."""
    if n < 20:
        return ONES[n]
    return TENS[n // 10 - 2] + (f" {ONES[n % 10]}" if n % 10 else "")


def ordinal(n: int) -> str:
    """`n` (1 to 31) as an ordinal in words."""
    return _ORDINALS[n - 1].replace("-", " ")


def year_words(year: int) -> str:
    """A year of the 20th or 21st century as it is said."""
    if year == 2000 or 2000 < year < 2010:
        return "two thousand" + (f" {ONES[year % 10]}" if year % 10 else "")
    rest = year % 100
    return f"{ONES[19] if year < 2000 else 'twenty'} {'oh ' if rest < 10 else ''}{cardinal(rest)}"


def suffix(day: int) -> str:
    """`st`, `nd`, `rd` or `th`."""
    return "th" if 11 <= day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
