"""The day a holiday falls on: by rule where it has one, else about where lexicons/holidays.txt puts it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import cache

from preceptor.deid.tokens import fold
from preceptor.deid.words import lexicon

_MON, _TUE, _THU, _SUN = 0, 1, 3, 6


def easter(year: int) -> dt.date:
    """Easter Sunday of the Gregorian calendar (the anonymous algorithm; Meeus, Astronomical Algorithms, ch. 8)."""
    a, b, c = year % 19, year // 100, year % 100
    d, e = divmod(b, 4)
    g = (b - (b + 8) // 25 + 1) // 3
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    x = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * x) // 451
    month, day = divmod(h + x - 7 * m + 114, 31)
    return dt.date(year, month, day + 1)


def _nth(month: int, weekday: int, n: int) -> Callable[[int], dt.date]:
    def of(year: int) -> dt.date:
        first = dt.date(year, month, 1)
        return first + dt.timedelta(days=(weekday - first.weekday()) % 7 + 7 * (n - 1))

    return of


def _after(rule: Callable[[int], dt.date], days: int) -> Callable[[int], dt.date]:
    return lambda year: rule(year) + dt.timedelta(days=days)


def _last_monday_of_may(year: int) -> dt.date:
    last = dt.date(year, 5, 31)
    return last - dt.timedelta(days=last.weekday())


_THANKSGIVING = _nth(11, _THU, 4)
# US federal days: 5 USC 6103. The rest by custom.
_RULES: dict[str, Callable[[int], dt.date]] = {
    "mlk day": _nth(1, _MON, 3),
    "martin luther king day": _nth(1, _MON, 3),
    "presidents' day": _nth(2, _MON, 3),
    "presidents day": _nth(2, _MON, 3),
    "super bowl sunday": _nth(2, _SUN, 2),  # since 2022
    "super bowl": _nth(2, _SUN, 2),
    "patriots' day": _nth(4, _MON, 3),
    "patriots day": _nth(4, _MON, 3),
    "mother's day": _nth(5, _SUN, 2),
    "mothers day": _nth(5, _SUN, 2),
    "memorial day": _last_monday_of_may,
    "father's day": _nth(6, _SUN, 3),
    "fathers day": _nth(6, _SUN, 3),
    "labor day": _nth(9, _MON, 1),
    "labour day": _nth(9, _MON, 1),
    "columbus day": _nth(10, _MON, 2),
    "indigenous peoples' day": _nth(10, _MON, 2),
    "indigenous peoples day": _nth(10, _MON, 2),
    "election day": _after(_nth(11, _MON, 1), 1),
    "thanksgiving": _THANKSGIVING,
    "thanksgiving day": _THANKSGIVING,
    "black friday": _after(_THANKSGIVING, 1),
    "cyber monday": _after(_THANKSGIVING, 4),
    "mardi gras": _after(easter, -47),
    "fat tuesday": _after(easter, -47),
    "ash wednesday": _after(easter, -46),
    "lent": _after(easter, -46),
    "palm sunday": _after(easter, -7),
    "good friday": _after(easter, -2),
    "easter": easter,
    "easter sunday": easter,
    "easter monday": _after(easter, 1),
}
_MORE = {"wigilia": (12, 24), "posadas": (12, 16), "hmong new year": (11, 25), "leap day": (2, 29)}


@cache
def _days() -> dict[str, tuple[int, int]]:
    listed = (line.split("|") for line in lexicon("holidays"))
    return {name: (int(month), int(day)) for name, month, day in listed} | _MORE


@cache
def names() -> tuple[str, ...]:
    """Folded names of all holidays that are known, the longest first."""
    return tuple(sorted({*_RULES, *_days()}, key=lambda n: (-len(n), n)))


def day_of(name: str, year: int) -> dt.date | None:
    """The day a holiday falls on in a year; nothing for one that year lacks (29 February)."""
    low = fold(name)
    if low in _RULES:
        return _RULES[low](year)
    month, day = _days()[low]
    try:
        return dt.date(year, month, day)
    except ValueError:
        return None
