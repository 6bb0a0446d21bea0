"""Reading a date as a note writes it, and writing it again some days away in the same form."""

from __future__ import annotations

import calendar
import datetime as dt
from dataclasses import dataclass
from functools import lru_cache

import regex

from preceptor.deid.recognizers.dates import MONTHS, ORDINALS, WEEKDAYS, holidays

_MONTH_WORD = regex.compile(r"(?<![\p{L}])(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)(\p{L}*)\.?(?![\p{L}])", regex.I)
_WEEKDAY_WORD = regex.compile(r"(?<![\p{L}])(mon|tue|wed|thu|fri|sat|sun)(\p{L}*)\.?(?![\p{L}])", regex.I)
_ORDINAL_WORD = regex.compile(r"(?<![\p{L}])(" + "|".join(sorted((o.replace("-", "[- ]") for o in ORDINALS), key=len, reverse=True)) + r")(?![\p{L}])", regex.I)
_NUMERIC = regex.compile(r"(?<!\d)(\d{1,4})([/.-])(\d{1,2})(?:\2(\d{4}|\d{2}))?(?!\d)")
_PIVOT = 35  # two-digit years up to this are 20xx; a note's dates lie in the past or near it


class UnreadableDate(ValueError):
    """The text is no date that can be read; the caller masks it whole. The message holds none of it."""


@dataclass(frozen=True, slots=True)
class ReadDate:
    """The parts of a date that a text has."""

    year: int | None = None
    month: int | None = None
    day: int | None = None


def parse_date(text: str, day_first: bool = False) -> ReadDate | None:
    """The parts of one date, or None. Holidays have a month and a day; a weekday alone has no part."""
    text = text.strip()
    compact = regex.fullmatch(r"((?:19|20)\d{2})(\d{2})(\d{2})", text)
    if compact:
        return _valid(*map(int, compact.groups()))
    numeric = _NUMERIC.search(text)
    if numeric and not _MONTH_WORD.search(text):
        a, _, b, c = numeric.groups()
        if len(a) == 4:
            return _valid(int(a), int(b), int(c) if c else 1)
        if c is None:
            first, second = (int(b), int(a)) if (day_first and int(b) <= 12) or int(a) > 12 else (int(a), int(b))
            return _valid(None, first, second)
        month, day = (int(b), int(a)) if int(a) > 12 or day_first and int(b) <= 12 else (int(a), int(b))
        return _valid(_full_year(c), month, day)
    month_year = regex.fullmatch(r"(\d{1,2})[/-]((?:19|20)\d{2})", text)
    if month_year:
        return _valid(int(month_year[2]), int(month_year[1]), None)
    word = _MONTH_WORD.search(text)
    if word:
        month = [m[:3] for m in MONTHS].index(word[1].lower()) + 1
        year = regex.search(r"(?<!\d)((?:19|20)\d{2})(?!\d)|['’](\d{2})(?!\d)", text)
        rest = text if not year else text[: year.start()] + text[year.end() :]
        day = regex.search(r"(?<!\d)(\d{1,2})(?:st|nd|rd|th)?(?![\d])", rest)
        ordinal = _ORDINAL_WORD.search(text)
        number = int(day[1]) if day else ORDINALS.index(ordinal[1].lower().replace(" ", "-")) + 1 if ordinal else None
        short = regex.search(r"(?:-|, ?)(\d{2})$", text) if not year and day else None
        value = _full_year(year[1] or year[2]) if year else _full_year(short[1]) if short and short.start(1) != day.start(1) else None
        return _valid(value, month, number)
    holiday = _holiday(text)
    if holiday:
        year = regex.search(r"(?:19|20)\d{2}", text)
        return _valid(int(year.group()) if year else None, *holiday)
    return None


def _holiday(text: str) -> tuple[int, int] | None:
    low = regex.sub(r"\s+(?:(?:19|20)\d{2}|weekend|week)$", "", text.lower().replace("’", "'").strip())
    table = _holidays()
    return table.get(low) or table.get(low.replace("'", ""))


@lru_cache(maxsize=1)
def _holidays() -> dict[str, tuple[int, int]]:
    table = holidays()
    return {**{name.replace("'", ""): value for name, value in table.items()}, **table}


def _valid(year: int | None, month: int | None, day: int | None) -> ReadDate | None:
    if month is None or not 1 <= month <= 12:
        return None
    if day is not None and not 1 <= day <= calendar.monthrange(year or 2024, month)[1]:
        return None
    return ReadDate(year, month, day)


def _full_year(text: str) -> int:
    number = int(text)
    return number if len(text) == 4 else 2000 + number if number <= _PIVOT else 1900 + number


def shift_date(text: str, days: int, *, year: int = 2023, day_first: bool = False) -> str:
    """Move a date by `days`, keeping how it was written.

    `text` is the date as it stands in the note ("3/14/24", "14 Mar", "March 2024", "Tuesday"); parts that it lacks
    stay away. `year` is taken for a date that names none; `day_first` reads 3/4 as the third of April. A holiday
    becomes a month and a day. Where only a month is named, the shift starts from its fifteenth.

    >>> shift_date("12/30/2023", 5), shift_date("Tues", 3), shift_date("MARCH 12, 1956", 30)
    ('01/04/2024', 'Fri', 'APRIL 11, 1956')

    Raises `UnreadableDate` for text that is no date; the caller masks it whole.
    """
    read = parse_date(text, day_first)
    if read is None or read.month is None:
        return _shift_weekday_or_day(text, days)
    start = dt.date(read.year or year, read.month, 1)
    last = calendar.monthrange(start.year, read.month)[1]
    moved = start.replace(day=min(read.day or 15, last)) + dt.timedelta(days=days)
    ends = regex.fullmatch(r"(.*?\d{1,2}(?:st|nd|rd|th)?)(\s?(?:-|–|to|and|through)\s?)(\d{1,2}/\d{1,2}|\d{1,2}(?:st|nd|rd|th)?)(?![\d/])(.*)", text)
    if ends and _is_range(ends, text):
        return _shift_range(ends, days, year, day_first)
    if _holiday(text):
        year_part = f", {moved.year}" if read.year else ""
        return _cased(f"{MONTHS[moved.month - 1].title()} {moved.day}{year_part}", text)
    if _MONTH_WORD.search(text):
        return _rewrite_spelled(text, read, moved, days)
    return _rewrite_numeric(text, read, moved, day_first)


def _is_range(ends: regex.Match, text: str) -> bool:
    if ends[2].strip() in ("to", "and", "through", "–"):
        return True
    if "/" in ends[1] and "-" in ends[2]:
        return "/" in ends[3] or ends[1].count("/") == 1
    return bool(_MONTH_WORD.search(ends[1])) and "-" in ends[2] and not regex.fullmatch(r"\d{1,2}-\p{L}+-\d{2,4}", text)


def _shift_range(ends: regex.Match, days: int, year: int, day_first: bool) -> str:
    """ "March 3-5" and "3/14-18": both ends move; an end in another month gets its month."""
    head, link, tail, rest = ends.groups()
    first = shift_date(head + (rest if _MONTH_WORD.search(rest) and not _MONTH_WORD.search(head) else ""), days, year=year, day_first=day_first)
    if "/" in tail:
        return first + link + shift_date(tail, days, year=year, day_first=day_first) + rest
    read = parse_date(head + rest, day_first)
    if read is None or read.month is None:
        raise UnreadableDate
    number = int(regex.sub(r"\D", "", tail))
    try:
        start = dt.date(read.year or year, read.month, number)
    except ValueError:
        raise UnreadableDate from None
    moved = start + dt.timedelta(days=days)
    if "/" in head:
        return f"{first}{link}{moved.month}/{moved.day}{rest}"
    return f"{first}{link}{_cased(MONTHS[moved.month - 1].title(), text=head)} {moved.day}" + ("" if _MONTH_WORD.search(rest) else rest)


def _rewrite_numeric(text: str, read: ReadDate, moved: dt.date, day_first: bool) -> str:
    compact = regex.fullmatch(r"\d{8}", text.strip())
    if compact:
        return moved.strftime("%Y%m%d")
    match = _NUMERIC.search(text)
    if match is None or read.day is None:
        month_year = regex.fullmatch(r"(\s*)(\d{1,2})([/-])(\d{4})(\s*)", text)
        if month_year is None:
            raise UnreadableDate
        return f"{month_year[1]}{_like(moved.month, month_year[2])}{month_year[3]}{moved.year}{month_year[5]}"
    a, sign, b, c = match.groups()
    if len(a) == 4:
        new = f"{moved.year}{sign}{_like(moved.month, b)}" + (f"{sign}{_like(moved.day, c)}" if c else "")
    else:
        days_lead = int(a) > 12 or day_first and int(b) <= 12
        lead, follow = (moved.day, moved.month) if days_lead else (moved.month, moved.day)
        # Two digits with a leading zero anywhere mean two digits everywhere.
        wide = any(len(part) == 2 and part[0] == "0" for part in (a, b)) or (c is not None and len(a) == len(b) == 2 and len(c) == 4)
        new = f"{lead:02d}{sign}{follow:02d}" if wide else f"{lead}{sign}{follow}"
        if c:
            new += f"{sign}{moved.year}" if len(c) == 4 else f"{sign}{moved.year % 100:02d}"
    before, after = text[: match.start()], text[match.end() :]
    return _shift_weekdays(before, (moved - _start(read, moved)).days) + new + after


def _start(read: ReadDate, moved: dt.date) -> dt.date:
    """The date before the move, in the year that it had or nearest to the moved one."""
    if read.year:
        return dt.date(read.year, read.month or 1, read.day or 15)
    candidates = []
    for year in (moved.year - 1, moved.year, moved.year + 1):
        last = calendar.monthrange(year, read.month or 1)[1]
        candidates.append(dt.date(year, read.month or 1, min(read.day or 15, last)))
    return min(candidates, key=lambda d: abs((d - moved).days))


def _rewrite_spelled(text: str, read: ReadDate, moved: dt.date, days: int) -> str:
    word = _MONTH_WORD.search(text)
    assert word is not None
    full = MONTHS[moved.month - 1]
    short = len(word[0].strip(".")) <= 4 and word[0].lower().strip(".") not in ("may", "june", "july")
    new_month = _cased((full[:3] if short else full).title(), word[0])
    pieces = {word.span(): new_month + ("." if word[0].endswith(".") and short else "")}
    year = regex.search(r"(?<!\d)(?:19|20)\d{2}(?!\d)", text)
    if year:
        pieces[year.span()] = str(moved.year)
    quoted = regex.search(r"(?<=['’])\d{2}(?!\d)", text)
    if quoted and not year:
        pieces[quoted.span()] = f"{moved.year % 100:02d}"
    if read.day is not None:
        ordinal = _ORDINAL_WORD.search(text)
        for day in regex.finditer(r"(?<![\d'’])(\d{1,2})(st|nd|rd|th)?(?!\d)", text):
            if int(day[1]) == read.day and not any(day.start() < b and a < day.end() for a, b in pieces):
                pieces[day.span()] = (_like(moved.day, day[1]) if day[1][0] == "0" else str(moved.day)) + (_cased(_ending(moved.day), day[2]) if day[2] else "")
                break
        else:
            if ordinal:
                pieces[ordinal.span()] = _cased(ORDINALS[moved.day - 1], ordinal[0])
        trailing = regex.search(r"(?:-|, ?)(\d{2})$", text)
        if trailing and not year and trailing.span(1) not in pieces and read.year:
            pieces[trailing.span(1)] = f"{moved.year % 100:02d}"
    return _shift_weekdays(_replace(text, pieces), days)


def _shift_weekday_or_day(text: str, days: int) -> str:
    if _WEEKDAY_WORD.search(text) and not regex.search(r"\d", text):
        shifted = _shift_weekdays(text, days)
        ordinal = _ORDINAL_WORD.search(shifted)
        return shifted if not ordinal else _replace(shifted, {ordinal.span(): _cased(ORDINALS[(ORDINALS.index(ordinal[1].lower().replace(" ", "-")) + days) % 28], ordinal[0])})
    day = regex.search(r"(\d{1,2})(st|nd|rd|th)", text, regex.I)
    if day and 1 <= int(day[1]) <= 31:
        number = (int(day[1]) - 1 + days) % 28 + 1  # no month is named: any month has 28 days
        return _shift_weekdays(text[: day.start()] + f"{number}{_ending(number)}" + text[day.end() :], days)
    ordinal = _ORDINAL_WORD.search(text)
    if ordinal:
        number = (ORDINALS.index(ordinal[1].lower().replace(" ", "-")) + days) % 28
        return _replace(text, {ordinal.span(): _cased(ORDINALS[number], ordinal[0])})
    raise UnreadableDate


def _shift_weekdays(text: str, days: int) -> str:
    pieces = {}
    for match in _WEEKDAY_WORD.finditer(text):
        index = [w[:3] for w in WEEKDAYS].index(match[1].lower())
        new = WEEKDAYS[(index + days) % 7]
        whole = match[0].strip(".").lower()
        if whole.rstrip("s") in WEEKDAYS:
            new = new + ("s" if whole.endswith("s") else "")
        else:
            new = new[:3] + ("." if match[0].endswith(".") else "")
        pieces[match.span()] = _cased(new.title(), match[0])
    return _replace(text, pieces)


def _replace(text: str, pieces: dict[tuple[int, int], str]) -> str:
    for (start, end), new in sorted(pieces.items(), reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _like(number: int, pattern: str) -> str:
    return f"{number:02d}" if len(pattern) == 2 and pattern[0] == "0" or len(pattern) == 2 else str(number)


def _ending(day: int) -> str:
    return "th" if 11 <= day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")


def _cased(new: str, text: str) -> str:
    letters = [c for c in text if c.isalpha()]
    if letters and all(c.isupper() for c in letters) and len(letters) > 1:
        return new.upper()
    if letters and all(c.islower() for c in letters):
        return new.lower()
    return new
