"""Dates in the forms of notes: read, moved and written back as they were, or cut to the year.

A value is read from left to right as dates (`_Date`) and what may stand between them: ranges, times, "early", "the
week of". One word that is neither, and the value cannot be read; the caller then writes `[DATE]`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import regex

from preceptor.deid.recognizers.dates import MONTHS
from preceptor.deid.recognizers.rule import compiled
from preceptor.deid.surrogates import holidays, number_words

_MONTH_NAMES = (
    "January February March April May June July August September October November December",
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
)
_LANGUAGES = tuple(tuple(line.split()) for line in _MONTH_NAMES)
_DAY_NAMES = (
    tuple("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()),
    tuple("lunes martes miércoles jueves viernes sábado domingo".split()),
)
_FOUR_LETTER_DAYS = {1: "Tues", 3: "Thurs"}  # beside "Mon", "Wed", …
_SEASONS = ("winter", "spring", "summer", "fall")
_QUARTERS = ("first", "second", "third", "fourth")
# A year that is not written is taken to be this one where nothing better is known; it is no leap year.
_SOME_DAY = dt.date(2023, 7, 2)

_M = rf"(?:{'|'.join(sorted(map(regex.escape, MONTHS), key=len, reverse=True))})"
_DW = number_words.ORDINAL
_D = rf"(?:\d{{1,2}}(?:st|nd|rd|th)?|{_DW})"
_Y4 = r"(?:(?:19|20)\d{2})"
_START, _END = r"(?<![\p{L}\d])", r"(?![\p{L}\d])"
_GLUE = regex.compile(
    r"\s+|[,;:.()\-–—/&@+]|T(?=\d\d:)"
    r"|\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?\s?(?:[ap]\.?m\b\.?|hrs?\b|h\b|Z\b|UTC\b|[ECMP][SD]?T\b)?(?:[+-]\d{2}:?\d{2})?"
    r"|\d{1,2}\s?[ap]\.?m\b\.?|\d{3,4}\s?(?:hrs|hours|h)\b"
    r"|\b(?:and|or|to|through|thru|until|till?|from|between|the|of|on|at|in|by|since|last|next|this|past|coming|early|mid"
    r"|middle|late|beginning|end|start|around|about|circa|ca|weeks?|weekends?|nights?|mornings?|afternoons?|evenings?|eve"
    r"|days?|noon|midnight|month|every|each|other|de|del|o['’]clock)\b",
    regex.I,
)
_MISREAD = regex.compile(
    r"[\dOolI]*\d[\dOolI]*|(?<=[/.-])[OolI]{1,2}(?![\p{L}])|(?<!\p{L})[OolI]{1,2}(?=[/.-])"
)
_DAY_OF_MONTH = regex.compile(r"(\d{1,2})(\p{L}*)")
_SHORT_MAY = regex.compile(r"[-\d](?i:may)[-\d]|\d{2}[-]?(?i:may)\d")
_DOTTED_MAY = regex.compile(r"(?i)\b(may)\.")
_TWO_DIGITS = regex.compile(r"\d\d-?\p{L}{3,}-?\d")
_EARLY = regex.compile(r"\b(?:early|beginning of|start of)[- ]$")
_LATE = regex.compile(r"\b(?:late|end of)[- ]$")
_RELATIVE = regex.compile(r"\b(?:today|tonight|tomorrow|tmrw|yesterday|now)\b", regex.I)


@dataclass(frozen=True, slots=True)
class _Date:
    """One date as written at `[start, end)`. `when` gives its day, near another day where parts are missing."""

    start: int
    end: int
    year: int | None
    whole: bool  # year, month and day are written
    when: Callable[[dt.date, int | None], dt.date | None]
    write: Callable[[dt.date], str]


@dataclass(frozen=True, slots=True)
class _Weekday:
    start: int
    end: int
    index: int
    write: Callable[[int], str]


_Maker = Callable[[regex.Match], _Date | _Weekday | None]


def shift_date(text: str, days: int, near: dt.date | None = None) -> str | None:
    """The date `days` later in the form it was written in; nothing for a form that cannot be read.

    Missing parts stay missing: "3/14" is taken to be of the year that brings it closest to `near` (a day the note
    tells; its weekday helps), which matters around 29 February only. A month or a season by itself moves by its
    middle. A year by itself and words like "tomorrow" stay.

    >>> shift_date("12/30/2023", 5), shift_date("Friday, March 1", -1), shift_date("some time", 3)
    ('01/04/2024', 'Thursday, February 29', None)
    """
    source, found = _read(text)
    if found is None:
        return None
    dates = [p for p in found if isinstance(p, _Date)]
    weekdays = [p for p in found if isinstance(p, _Weekday)]
    weekday = weekdays[0].index if len(weekdays) == 1 and len(dates) == 1 else None
    whole = [d.when(_SOME_DAY, None) for d in dates if d.whole]
    close_to = next((d for d in whole if d), None) or near or _SOME_DAY
    out, at = [], 0
    for part in found:
        if isinstance(part, _Weekday):
            new = part.write((part.index + days) % 7)
        else:
            day = part.when(close_to, weekday)
            if day is None:
                return None
            try:
                new = part.write(day + dt.timedelta(days=days))
            except OverflowError:
                return None
        out += [source[at : part.start], new]
        at = part.end
    return "".join(out) + source[at:]


def years_of(text: str) -> list[int] | None:
    """The years that are written in a date, in order, each once; nothing for a form that cannot be read.

    >>> years_of("3/14/24"), years_of("mid-March"), years_of("Dec 30, 2023 - Jan 2, 2024")
    ([2024], [], [2023, 2024])
    """
    _, found = _read(text)
    if found is None:
        return None
    years = [p.year for p in found if isinstance(p, _Date) and p.year is not None]
    return list(dict.fromkeys(years))


def day_of(text: str) -> dt.date | None:
    """The first day in a text that is written with its year."""
    _, found = _read(text)
    return next(
        (d for p in found or [] if isinstance(p, _Date) and p.whole and (d := p.when(_SOME_DAY, None))), None
    )


def is_relative(text: str) -> bool:
    """Whether the value only tells a day by the day of writing ("tomorrow"): no element of a date."""
    return _read(text)[1] == []


def _mended(text: str) -> str:
    """Digits that scanning turned into letters: "l2/1O/24" was 12/10/24."""
    return _MISREAD.sub(lambda m: m.group().translate(str.maketrans("OolI", "0011")), text)


@lru_cache(maxsize=4096)
def _read(text: str) -> tuple[str, list[_Date | _Weekday] | None]:
    """The text that could be read (the mended one if the value itself could not) and its dates."""
    found = _parts(text)
    return (text, found) if found is not None else (_mended(text), _parts(_mended(text)))


def _parts(text: str) -> list[_Date | _Weekday] | None:
    """The dates of a text; empty if it only has relative words; nothing if a part cannot be read."""
    found: list[_Date | _Weekday] = []
    at, relative = 0, False
    while at < len(text):
        for form, make in _forms_at(text[at]):
            m = compiled(form).match(text, at)
            made = make(m) if m else None
            if made is not None and m is not None:
                found.append(made)
                at = m.end()
                break
        else:
            m = _GLUE.match(text, at) or _RELATIVE.match(text, at)
            if m is None:
                return None
            relative = relative or m.re is _RELATIVE
            at = m.end()
    return found if found or relative else None


def _forms_at(first: str) -> tuple[tuple[str, _Maker], ...]:
    """The forms that may begin with a character: no form begins with a space or a sign."""
    if first.isdigit():
        return _FORMS_WITH_DIGIT
    return _FORMS_WITH_LETTER if first.isalpha() else ()


def _rewritten(m: regex.Match, groups: dict[str, str]) -> str:
    """The match's text with the named groups that took part replaced."""
    out, at = [], m.start()
    for name, new in sorted(groups.items(), key=lambda g: m.start(g[0])):
        if m[name] is not None:
            out += [m.string[at : m.start(name)], new]
            at = m.end(name)
    return "".join(out) + m.string[at : m.end()]


def _full_year(text: str) -> int | None:
    """A year in four digits, in two (to 2039), or in words."""
    digits = text.strip("'’")
    year = int(digits) if digits.isdigit() else number_words.year_number(text)
    if year is None or year > 99:
        return year
    return year + (2000 if year < 40 else 1900)


def _year_like(year: int, like: str) -> str:
    if not any(c.isdigit() for c in like):
        in_full = (number_words.year_number(like) or 0) > 99
        return _cased(number_words.year_words(year) if in_full else number_words.cardinal(year % 100), like)
    short = len(like.strip("'’")) == 2
    return like[: len(like) - len(like.lstrip("'’"))] + (f"{year % 100:02d}" if short else str(year))


def _day_value(text: str) -> int | None:
    m = _DAY_OF_MONTH.match(text)
    return int(m[1]) if m else number_words.number(text)


def _day_like(day: int, like: str, padded: bool = False) -> str:
    if m := _DAY_OF_MONTH.fullmatch(like):
        tail = number_words.suffix(day) if m[2] else ""
        return (
            f"{day:02d}{tail}"
            if padded or m[1].startswith("0")
            else f"{day}{tail.upper() if m[2].isupper() else tail}"
        )
    return _cased(number_words.ordinal(day), like)


def _cased(new: str, like: str) -> str:
    if like.isupper() and len(like) > 1:
        return new.upper()
    return new.lower() if like.islower() else new[:1].upper() + new[1:]


def _month_like(month: int, like: str, short: bool) -> str:
    """The name of a month in the language and the length of another. "May" is short only in a short form (07-May-24)."""
    low = like.lower()
    for names in _LANGUAGES:
        if low in [n.lower() for n in names] and not (low == "may" and short):
            return _cased(names[month - 1], like)
    return _cased(_LANGUAGES[0][month - 1][:3], like)


def _date(year: int | None, month: int, day: int) -> dt.date | None:
    try:
        return dt.date(year or _SOME_DAY.year, month, day)
    except ValueError:
        return None


def _when(year: int | None, month: int, day: int) -> Callable[[dt.date, int | None], dt.date | None]:
    """The day itself, or where no year is written the one closest to another day, on the weekday that is told."""
    if year is not None:
        return lambda near, weekday: _date(year, month, day)

    def closest(near: dt.date, weekday: int | None) -> dt.date | None:
        days = [d for y in range(near.year - 4, near.year + 5) if (d := _date(y, month, day))]
        fitting = [d for d in days if weekday is None or d.weekday() == weekday] or days
        return min(fitting, key=lambda d: abs((d - near).days), default=None)

    return closest


def _valid(year: int | None, month: int | None, day: int | None) -> bool:
    if not month or not day:
        return False
    return _date(2024 if year is None else year, month, day) is not None and (
        year is None or 1 <= year <= 9998
    )


def _numeric(m: regex.Match, year: int | None, month: str, day: str, padded: bool) -> _Date | None:
    mo, d = int(m[month]), int(m[day])
    if not _valid(year, mo, d):
        return None
    width = 2 if padded else 1

    def write(new: dt.date) -> str:
        groups = {month: f"{new.month:0{width}d}", day: f"{new.day:0{width}d}"}
        return _rewritten(m, groups | ({"y": _year_like(new.year, m["y"])} if year is not None else {}))

    return _Date(m.start(), m.end(), year, year is not None, _when(year, mo, d), write)


def _iso(m: regex.Match) -> _Date | None:
    padded = not (len(m["a"]) == 1 or len(m["b"]) == 1)
    month, day = ("b", "a") if int(m["a"]) > 12 else ("a", "b")
    return _numeric(m, int(m["y"]), month, day, padded)


def _three(m: regex.Match) -> _Date | None:
    a, b = int(m["a"]), int(m["b"])
    # 3/4/24 is read the American way; 3.4.24 the European one.
    month_first = a <= 12 and not ("." in m["s"] and b <= 12)
    padded = m["a"][0] == "0" or m["b"][0] == "0" or len(m["a"]) == len(m["b"]) == 2
    first, second = ("a", "b") if month_first else ("b", "a")
    return _numeric(m, _full_year(m["y"]), first, second, padded)


def _two(m: regex.Match) -> _Date | None:
    padded = m["a"][0] == "0" or m["b"][0] == "0"
    return _numeric(m, None, *(("a", "b") if int(m["a"]) <= 12 else ("b", "a")), padded)


def _month_year(m: regex.Match) -> _Date | None:
    month, year = int(m["a"]), _full_year(m["y"])
    if not 1 <= month <= 12 or year is None:
        return None

    def write(new: dt.date) -> str:
        return _rewritten(m, {"a": f"{new.month:0{len(m['a'])}d}", "y": _year_like(new.year, m["y"])})

    return _Date(m.start(), m.end(), year, False, _when(year, month, 15), write)


def _named(m: regex.Match) -> _Date | None:
    """With the month spelled out: with or without day (`d`), second day of a range (`e`), year."""
    parts = m.groupdict()
    day, last, written = parts.get("d"), parts.get("e"), parts.get("y")
    month = MONTHS[m["m"].lower()]
    year = _full_year(written) if written else None
    if written and year is None:
        return None
    number = _day_value(day) if day else _middle(m)
    if number is None or not _valid(year, month, number):
        return None
    end = _day_value(last) if last else None
    if last and not _valid(year, month, end):
        return None
    length = None if end is None else end - number
    # 14-Mar-24 and 14MAR2024 come from systems that write two digits.
    padded = bool(_TWO_DIGITS.match(m.group()))
    short = month == 5 and bool(_SHORT_MAY.search(m.group()))

    def write(new: dt.date) -> str:
        name = _month_like(new.month, m["m"], short)
        groups = {"m": name}
        if day:
            groups["d"] = _day_like(new.day, day, padded)
        if last and length is not None:
            until = new + dt.timedelta(days=length)
            other = "" if until.month == new.month else _month_like(until.month, m["m"], short) + " "
            groups["e"] = other + _day_like(until.day, last)
            new = until
        if written:
            groups["y"] = _year_like(new.year, written)
        text = _rewritten(m, groups)
        # A full name takes no dot: "Apr. 3" may become "May 3".
        return _DOTTED_MAY.sub(r"\1", text) if name.lower() == "may" else text

    return _Date(m.start(), m.end(), year, bool(day) and year is not None, _when(year, month, number), write)


def _middle(m: regex.Match) -> int:
    """The day that stands for a month: the middle, or what "early" and "late" before it say."""
    before = m.string[max(0, m.start() - 14) : m.start()].lower()
    if _EARLY.search(before):
        return 5
    return 25 if _LATE.search(before) else 15


def _season(m: regex.Match) -> _Date | None:
    low = m["s"].lower().replace("autumn", "fall")
    year = _full_year(m["y"]) if m["y"] else None
    month = (1, 4, 7, 10)[_SEASONS.index(low)]

    def write(new: dt.date) -> str:
        moved = _SEASONS[new.month % 12 // 3]
        moved = "autumn" if moved == "fall" and m["s"].lower() == "autumn" else moved
        groups = {"s": _cased(moved, m["s"])}
        # December belongs to the winter that the next year names.
        return _rewritten(
            m, groups | ({"y": _year_like(new.year + (new.month == 12), m["y"])} if m["y"] else {})
        )

    return _Date(m.start(), m.end(), year, False, _when(year, month, 15), write)


def _quarter(m: regex.Match) -> _Date | None:
    written = m["q"].lower()
    index = int(written) - 1 if written.isdigit() else _QUARTERS.index(written)
    year = _full_year(m["y"]) if m["y"] else None

    def write(new: dt.date) -> str:
        n = (new.month - 1) // 3
        groups = {"q": str(n + 1) if written.isdigit() else _cased(_QUARTERS[n], m["q"])}
        return _rewritten(m, groups | ({"y": _year_like(new.year, m["y"])} if m["y"] else {}))

    return _Date(m.start(), m.end(), year, False, _when(year, 3 * index + 2, 15), write)


def _day_alone(m: regex.Match) -> _Date | None:
    """ "the 14th": of the month that brings it closest to a day that is known."""
    number = _day_value(m["d"])
    if not number or number > 31:
        return None

    def when(near: dt.date, weekday: int | None) -> dt.date | None:
        months = [divmod(near.year * 12 + near.month - 1 + n, 12) for n in range(-6, 7)]
        days = [d for y, mo in months if (d := _date(y, mo + 1, number))]
        fitting = [d for d in days if weekday is None or d.weekday() == weekday] or days
        return min(fitting, key=lambda d: abs((d - near).days), default=None)

    return _Date(
        m.start(), m.end(), None, False, when, lambda new: _rewritten(m, {"d": _day_like(new.day, m["d"])})
    )


def _weekday(m: regex.Match) -> _Weekday | None:
    low = m["w"].lower()
    if low in _DAY_NAMES[1]:
        index = _DAY_NAMES[1].index(low)
        return _Weekday(m.start(), m.end(), index, lambda n: _cased(_DAY_NAMES[1][n], m["w"]))
    index = next(n for n, name in enumerate(_DAY_NAMES[0]) if name.lower().startswith(low[:3]))

    def write(n: int) -> str:
        name = _DAY_NAMES[0][n]
        short = _FOUR_LETTER_DAYS.get(n, name[:3]) if len(low) > 3 else name[:3]
        return _rewritten(m, {"w": _cased(name if low.endswith("day") else short, m["w"])})

    return _Weekday(m.start(), m.end(), index, write)


def _holiday(m: regex.Match) -> _Date | None:
    year = _full_year(m["y"]) if m["y"] else None
    name = m["h"].replace("’", "'").lower()

    def when(near: dt.date, weekday: int | None) -> dt.date | None:
        years = [year] if year is not None else range(near.year - 4, near.year + 5)
        days = [d for y in years if (d := holidays.day_of(name, y))]
        return min(days, key=lambda d: abs((d - near).days), default=None)

    def write(new: dt.date) -> str:
        said = _cased(f"{_LANGUAGES[0][new.month - 1]} {new.day}", m["h"])
        return f"{said}, {new.year}" if year is not None else said

    return _Date(m.start(), m.end(), year, False, when, write)


def _year_alone(m: regex.Match) -> _Date:
    year = int(m["y"])
    # Years may stay under the rule, and alone they are kept as they are.
    return _Date(m.start(), m.end(), year, False, lambda near, weekday: near, lambda new: m.group())


def _stamp(m: regex.Match) -> _Date | None:
    return _numeric(m, int(m["y"]), "a", "b", True)


def _spoken(m: regex.Match) -> _Date | None:
    """ "eleven eight ninety nine": month, day and year as they are dictated."""
    month, day = number_words.number(m["a"]), number_words.number(m["b"])
    year = _full_year(m["y"])
    if year is None or not _valid(year, month, day) or month is None or day is None:
        return None

    def write(new: dt.date) -> str:
        groups = {
            "a": _cased(number_words.cardinal(new.month), m["a"]),
            "b": _cased(number_words.cardinal(new.day), m["b"]),
        }
        return _rewritten(m, groups | {"y": _year_like(new.year, m["y"])})

    return _Date(m.start(), m.end(), year, True, _when(year, month, day), write)


def _form(pattern: str) -> str:
    return f"(?i){_START}{pattern}{_END}"


_YEAR_AFTER = rf"(?:,?[ ]*|[-/.]|,?[ ]?(?:of|de|del)[ ])(?P<y>{_Y4}|['’]\d{{2}}|{number_words.YEAR})"
_SHORT_YEAR_AFTER = rf"(?:,?[ ]*|[-/. ]{{1,2}}|,?[ ]?(?:of|de|del)[ ])(?P<y>{_Y4}|['’]?\d{{2}}(?![:%]|\s?[ap]\.?m)|{number_words.YEAR})"
_UNTIL = rf"(?:[ ]?[-–—/&][ ]?|[ ](?:and|to|or|through|thru)[ ])(?P<e>{_D})(?![/:])"
_HOLIDAY = "|".join(regex.escape(n).replace("'", "['’]?") for n in holidays.names())
# What a form begins with: a digit (9), a letter (a), or either.
_FORMS: tuple[tuple[str, str, _Maker], ...] = (
    ("9", _START + r"(?P<y>\d{4})(?P<s>[-/.])(?P<a>\d{1,2})(?P=s)(?P<b>\d{1,2})(?!\d)", _iso),
    (
        "9",
        _form(r"(?P<y>(?:19|20)\d{2})(?P<a>\d{2})(?P<b>\d{2})(?:\d{2,6}(?:\.\d+)?(?:[+-]\d{4})?)?"),
        _stamp,
    ),
    ("9", _form(r"(?P<a>\d{1,2})(?P<s>\s?[/.-]\s?|\s)(?P<b>\d{1,2})(?P=s)(?P<y>\d{4}|['’]?\d{2})"), _three),
    ("9", _form(rf"(?P<y>{_Y4})-(?P<a>\d{{2}})"), _month_year),
    ("9", _form(rf"(?P<a>\d{{1,2}})[/-](?P<y>{_Y4}|3[2-9]|[4-9]\d)"), _month_year),
    ("9", _form(r"(?P<a>\d{1,2})(?P<s>[/.-]|\s)(?P<b>\d{1,2})"), _two),
    (
        "9a",
        _form(rf"(?:the[ ])?(?P<d>{_D})\.?[ -]{{0,2}}(?:of[ ]|de[ ])?(?P<m>{_M})\.?{_SHORT_YEAR_AFTER}"),
        _named,
    ),
    (
        "a",
        _form(
            rf"(?P<m>{_M})\.?[ -]{{0,2}}(?:the[ ])?(?P<d>{_D})(?:{_UNTIL})?(?:,?[ ]*|,?[ ]?(?:of|de|del)[ ])(?P<y>{_Y4}|['’]\d{{2}}|(?<=[, ])\d{{2}}(?![:%\d]|\s?[ap]\.?m)|{number_words.YEAR})"
        ),
        _named,
    ),
    ("a", _form(rf"(?P<m>{_M})(?P<s>[-/.])(?P<d>\d{{1,2}})(?P=s)(?P<y>\d{{4}}|\d{{2}})"), _named),
    ("a", _form(rf"(?P<m>{_M})\.?[ -]{{0,2}}(?:the[ ])?(?P<d>{_D})(?:{_UNTIL})?"), _named),
    ("9a", _form(rf"(?:the[ ])?(?P<d>{_D})\.?[ -]{{0,2}}(?:of[ ]|de[ ])?(?P<m>{_M})"), _named),
    ("a", _form(rf"(?P<m>{_M})\.?(?:{_YEAR_AFTER}|[-](?P<y>\d{{2}}))"), _named),
    ("a", _form(rf"(?P<m>{_M})"), _named),
    (
        "a",
        _form(rf"(?P<s>spring|summer|fall|autumn|winter)(?:(?:[ ]of)?[ ](?P<y>{_Y4}|['’]\d{{2}}))?"),
        _season,
    ),
    ("a", _form(rf"Q(?P<q>[1-4])(?:[ ,/'-]{{0,2}}(?P<y>{_Y4}|\d{{2}}))?"), _quarter),
    ("9", _form(rf"(?P<q>[1-4])Q[ ']?(?P<y>{_Y4}|\d{{2}})"), _quarter),
    (
        "a",
        _form(rf"(?:the[ ])?(?P<q>first|second|third|fourth)[ ]quarter(?:(?:[ ]of)?[ ](?P<y>{_Y4}))?"),
        _quarter,
    ),
    (
        "9a",
        _form(
            rf"(?P<h>{_HOLIDAY})(?:['’]s)?(?:[ ](?:weekend|day|week|morning|night|eve))?(?:,?[ ](?P<y>{_Y4}))?"
        ),
        _holiday,
    ),
    (
        "a",
        _form(
            rf"(?P<a>{number_words.CARDINAL})[ ](?P<b>{number_words.CARDINAL})[ ](?P<y>{number_words.YEAR}|{number_words.CARDINAL})"
        ),
        _spoken,
    ),
    ("9a", _form(rf"(?:the[ ])?(?P<d>\d{{1,2}}(?:st|nd|rd|th)|{_DW})"), _day_alone),
    (
        "a",
        _form(
            r"(?:(?P<w>(?:mon|tues|wednes|thurs|fri|satur|sun)day)s?|(?P<w>mon|tues?|weds?|thu(?:rs?)?|fri|sat|sun))"
        ),
        _weekday,
    ),
    ("a", _form(r"(?P<w>lunes|martes|miércoles|jueves|viernes|sábado|domingo)"), _weekday),
    ("9", _form(rf"(?P<y>{_Y4})"), _year_alone),
)
_FORMS_WITH_DIGIT = tuple((form, make) for begins, form, make in _FORMS if "9" in begins)
_FORMS_WITH_LETTER = tuple((form, make) for begins, form, make in _FORMS if "a" in begins)
