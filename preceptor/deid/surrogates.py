"""Surrogates from a key: the same value of the same patient gets the same stand-in, and no table is kept.

Everything is drawn by HMAC-SHA-256 over patient, kind and normalised value. Dates move by one offset a patient.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from functools import cache

import regex

from preceptor.deid.recognizers.dates import MONTHS
from preceptor.deid.record_matching import name_words, near, people_of
from preceptor.deid.tokens import fold
from preceptor.deid.types import OLDEST_AGE_KEPT, PEOPLE
from preceptor.deid.words import (
    census,
    clinical_words,
    first_name_rank,
    is_ordinary,
    lexicon,
    sex_of,
    surname_rank,
)
from preceptor.records import PatientRecord

# Three-digit areas with 20 000 people or fewer (HHS guidance on 164.514(b), 2000 census ZCTAs).
RESTRICTED_ZIP3 = frozenset("036 059 063 102 203 556 692 790 821 823 830 831 878 879 884 890 893".split())
_DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
_ENGLISH = "January February March April May June July August September October November December".split()
_STREETS = "Alder Birchwood Clearwater Dogwood Elmhurst Fernbrook Glenview Hawthorn Ivywood Juniper Kestrel Larkspur Millbrook Northgate Oakmont Pinecrest Quarry Rosewood Sycamore Thornbury Upland Vinewood Willowby Yarrow".split()
_PLACES = "Ashgrove Brightwater Cedarfield Dunmore Eastbrook Fairhaven Greystone Hillcrest Ironwood Kingsbridge Lakemont Maplewood Northfield Oakhaven Pinehurst Ridgeway Stonebrook Thornfield Westvale Windermere".split()
_NUMBER_WORDS = {
    w: n
    for n, w in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
    )
}
_TENS = {w: 10 * n for n, w in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}
_GENERIC = frozenset(
    "hospital clinic center centre medical health institute heart imaging rehab rehabilitation memorial general regional school high middle elementary university college church street st avenue ave road rd drive dr "
    "lane ln boulevard blvd court ct place pl way circle terrace trail parkway highway hwy the of and for at on in apt unit suite room rm bed bay ward floor north south east west n s e w nw ne sw se "
    "inc llc ltd co company counseling counselling services care home lab labs group associates partners physiotherapy park lake beach bridge mosque temple nursing manor hospice pharmacy family medicine".split()
)


@cache
def _pool(kind: str) -> tuple[str, ...]:
    """Names to draw from: well known ones that are not ordinary words nor in a clinical list."""
    low, high = (150, 4000) if kind == "last" else (20, 500)
    names = [n for n, rank in census(kind).items() if low <= rank <= high and 3 < len(n) < 10]
    return tuple(
        sorted(
            n
            for n in names
            if not is_ordinary(n) and n not in clinical_words() and n not in lexicon("cities")
        )
    )


@cache
def _cities() -> tuple[str, ...]:
    return tuple(sorted(c for c in lexicon("cities") if " " not in c and len(c) > 4 and not is_ordinary(c)))


class Surrogates:
    """The stand-ins of one patient. `values`: (type, text) of all spans in the patient's documents."""

    def __init__(
        self,
        secret: bytes,
        patient_ref: str,
        record: PatientRecord | None,
        values: Iterable[tuple[str, str]],
        date_shift_days: int,
    ) -> None:
        self._secret, self._patient = secret, patient_ref
        known = people_of(record) if record else []
        people = known + [(t, v) for t, v in values if t in PEOPLE]
        self._taken = {fold(w) for _, name in people for w in name_words(name)} | {
            fold(w) for t, v in values for w in regex.findall(r"\p{L}+", v)
        }
        self._kinds: dict[str, str] = {}
        self._canon: list[str] = list(
            dict.fromkeys(fold(w) for _, name in known for w in name_words(name) if len(w) >= 5)
        )
        self._sex = (record.sex or "")[:1].upper() if record else ""
        self._patient_firsts = {
            fold(name_words(n)[0]) for n in (record.names if record else ()) if name_words(n)
        }
        for _, name in people:
            self._learn(name)
        draw = self._number("shift", "") % (2 * max(1, date_shift_days))
        self.offset = draw - date_shift_days if draw < date_shift_days else draw - date_shift_days + 1

    def _learn(self, name: str) -> None:
        words = name_words(name)
        if len(words) < 2:
            return
        order = (
            ["last", *["first"] * (len(words) - 1)]
            if "," in name
            else [*["first"] * (len(words) - 1), "last"]
        )
        if "," not in name and regex.search(r"\p{L}-\p{L}+$", name):
            order[-2:] = ["last", "last"] if len(words) > 2 else order[-2:]
        for word, kind in zip(words, order, strict=True):
            if len(word) > 1:
                self._kinds.setdefault(self._canonical(word), kind)

    def _canonical(self, word: str) -> str:
        low = fold(word).removesuffix("'s")
        return next((c for c in self._canon if c == low), None) or (
            next((c for c in self._canon if len(low) >= 5 and near(c, low)), low)
        )

    def _number(self, kind: str, value: str, turn: int = 0) -> int:
        message = "\x1f".join((self._patient, kind, value, str(turn))).encode()
        return int.from_bytes(hmac.new(self._secret, message, hashlib.sha256).digest()[:12], "big")

    def _draw(self, kind: str, value: str, pool: Sequence[str]) -> str:
        for turn in range(50):
            choice = pool[self._number(kind, value, turn) % len(pool)]
            if fold(choice) not in self._taken:
                return choice
        return pool[self._number(kind, value) % len(pool)]

    def replace(self, type: str, value: str) -> str:
        """The stand-in for a span's text."""
        if type in PEOPLE:
            return self._name(value)
        if type == "DATE":
            return self._date(value) or "[DATE]"
        if type == "AGE":
            return "90+" if (age := age_of(value)) is not None and age > OLDEST_AGE_KEPT else value
        if type in ("STATE", "COUNTRY", "YEAR"):
            return value
        if type == "ZIP":
            digits = regex.sub(r"\D", "", value)[:3]
            return ("000" if digits in RESTRICTED_ZIP3 else digits) + "00" if len(digits) == 3 else "[ZIP]"
        if type == "CITY":
            return _cased(self._draw("city", fold(value), _cities()), value)
        if type in ("HOSPITAL", "ORGANIZATION", "STREET", "LOCATION_OTHER"):
            return self._place(type, value)
        if type == "EMAIL":
            return f"{self._draw('mail', fold(value), _pool('last'))}{self._number('mail', fold(value)) % 90 + 10}@example.org"
        if type == "URL":
            return f"https://{self._draw('url', fold(value), _pool('last'))}.example.org"
        if type == "USERNAME":
            return self._draw("user", fold(value), _pool("last")) + str(
                self._number("user", fold(value)) % 90 + 10
            )
        if type == "PROFESSION":
            return "worker"
        if type == "IP" and "." in value:
            return "192.0.2." + str(self._number("ip", value) % 254 + 1)  # TEST-NET-1, RFC 5737
        return self._digits(type, value)

    def _name(self, value: str) -> str:
        return regex.sub(r"\p{L}[\p{L}'’]*", lambda m: self._word(m.group()), value)

    def _word(self, word: str) -> str:
        low = self._canonical(word)
        if len(low) == 1:
            full = sorted(w for w in self._kinds if w.startswith(low))
            drawn = (
                self._word(full[0])[0] if full else "abcdefghijklmnoprstvw"[self._number("initial", low) % 21]
            )
            return drawn.upper() if word.isupper() else drawn.lower()
        if low in (
            "de",
            "la",
            "van",
            "von",
            "der",
            "del",
            "al",
            "el",
            "bin",
            "jr",
            "sr",
            "mr",
            "mrs",
            "ms",
            "dr",
            "md",
            "rn",
            "o",
            "mc",
        ):
            return word
        kind = self._kinds.get(low) or ("first" if first_name_rank(low) * 4 < surname_rank(low) else "last")
        if kind == "last":
            drawn = self._draw("last", low, _pool("last"))
        else:
            sex = self._sex if low in self._patient_firsts and self._sex in ("M", "F") else sex_of(low)
            sex = sex or ("F" if self._number("sex", low) % 2 else "M")
            drawn = self._draw("first", low, _pool("male" if sex == "M" else "female"))
        return _cased(drawn, word)

    def _place(self, type: str, value: str) -> str:
        pool = _STREETS if type == "STREET" else _PLACES

        def word(m: regex.Match) -> str:
            w = m.group()
            if w[0].isdigit():
                return self._digits("number", w)
            if fold(w) in _GENERIC or not (w[0].isupper() or value.islower()) and len(value.split()) > 1:
                return w
            return _cased(self._draw("place", fold(w), pool), w) if len(w) > 1 else w

        new = regex.sub(r"\p{L}[\p{L}'’]*|\d+", word, value)
        return new if new != value else _cased(self._draw("place", fold(value), pool), value)

    def _digits(self, type: str, value: str) -> str:
        """The same shape in other digits and letters; never the same, never a valid SSN, NPI or DEA number."""
        normal = regex.sub(r"[^\p{L}\d]", "", value).casefold()
        for turn in range(200):
            bits = self._number(type if type not in ("PHONE", "FAX") else "phone", normal, turn)
            out = []
            for c in value:
                if c.isdigit():
                    bits, d = divmod(bits, 10)
                    out.append(str(d))
                elif (
                    c.isalpha()
                    and (len(regex.findall(r"\p{L}", value)) <= 4 or not value.isalpha())
                    and type not in ("PHONE", "FAX", "VEHICLE")
                ):
                    bits, d = divmod(bits, 23)
                    out.append(("ABCDEFGHJKLMNPQRSTUVWXY" if c.isupper() else "abcdefghjklmnpqrstuvwxy")[d])
                else:
                    out.append(c)
                if bits < 1000:
                    bits = self._number(type, normal + str(len(out)), turn)
            new = "".join(out)
            if type == "SSN" and len(value) > 4:
                new = regex.sub(r"\d", "9", new, count=1)  # areas 900-999 are never given out
            if new != value and not _valid(regex.sub(r"[^\p{L}\d]", "", new)):
                return new
        return f"[{type}]"

    def _date(self, value: str) -> str | None:
        return shift_date(value, self.offset)


def _valid(run: str) -> bool:
    from preceptor.deid.recognizers.check_digits import is_dea, is_npi, is_ssn

    return is_npi(run) or (len(run) == 9 and (is_dea(run) or is_ssn(run)))


def _cased(new: str, like: str) -> str:
    if like.isupper() and len(like) > 1:
        return new.upper()
    return new.lower() if like.islower() else new.title()


def age_of(text: str) -> int | None:
    """The age a span tells, in digits or in words."""
    if m := regex.search(r"\d{1,3}", text):
        return int(m.group())
    words = regex.findall(r"\p{L}+", text.lower())
    if "nineties" in words:
        return 95
    total = sum(_TENS.get(w, 0) + _NUMBER_WORDS.get(w, 0) for w in words)
    return total or None


def shift_date(value: str, days: int) -> str | None:
    """The date `days` later in the same form; nothing for a form that cannot be read."""
    text = value.strip()
    weekday = regex.match(
        r"(?i)((?:last |next |this )?)(mon(?:day)?|tue(?:s|sday)?|wed(?:s|nesday)?|thu(?:r|rs|rsday)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)(s?)\b\.?(.*)$",
        text,
        regex.S,
    )
    if weekday:
        index = next(i for i, d in enumerate(_DAYS) if d.startswith(weekday[2].lower()[:3]))
        new = _DAYS[(index + days) % 7]
        new = new if weekday[2].lower().endswith("day") else new[:3]
        rest = weekday[4]
        tail = ""
        if rest.strip(" ,"):
            shifted = shift_date(rest.strip(" ,"), days)
            if shifted is None:
                return None
            tail = rest[: len(rest) - len(rest.lstrip(" ,"))] + shifted
        return weekday[1] + _cased(new, weekday[2]) + weekday[3] + tail
    if m := regex.fullmatch(r"(\d{4})([-/.]?)(\d{1,2})\2(\d{1,2})(\d{4}|\d{6})?", text):
        moved = _move(int(m[1]), int(m[3]), int(m[4]), days)
        return f"{moved.year}{m[2]}{moved.month:02d}{m[2]}{moved.day:02d}{m[5] or ''}" if moved else None
    if m := regex.fullmatch(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})", text):
        a, b, year = int(m[1]), int(m[3]), _year(m[4])
        month_first = a <= 12 and not (m[2] == "." and b <= 12)
        moved = _move(year, a if month_first else b, b if month_first else a, days)
        if moved is None:
            return None
        first, second = (moved.month, moved.day) if month_first else (moved.day, moved.month)
        padded = m[1].startswith("0") or m[3].startswith("0") or len(m[1]) == len(m[3]) == 2
        width = 2 if padded else 1
        tail = str(moved.year) if len(m[4]) == 4 else f"{moved.year % 100:02d}"
        return f"{first:0{width}d}{m[2]}{second:0{width}d}{m[2]}{tail}"
    if m := regex.fullmatch(r"(\d{1,2})/(\d{1,2})", text):
        moved = _move(2023, int(m[1]), int(m[2]), days)
        return f"{moved.month}/{moved.day}" if moved else None
    if m := regex.fullmatch(r"(\d{1,2})([/-])(\d{4}|\d{2})", text):
        moved = _move(_year(m[3]), int(m[1]), 15, days)
        return (
            f"{moved.month:0{len(m[1])}d}{m[2]}{moved.year if len(m[3]) == 4 else f'{moved.year % 100:02d}'}"
            if moved
            else None
        )
    if moved_text := _named(text, days):
        return moved_text
    holiday = regex.sub(r"\s+(?:weekend|week|morning|night)$", "", fold(text))
    for line in lexicon("holidays"):
        name, month, day = line.split("|")
        if name == holiday:
            moved = _move(2023, int(month), int(day), days)
            return f"{_ENGLISH[moved.month - 1]} {moved.day}" if moved else None
    return None


def _named(text: str, days: int) -> str | None:
    """Forms with a month spelled out, read and written in English."""
    words = regex.findall(r"\p{L}+|\d+", text)
    month = next((MONTHS[w.lower()] for w in words if w.lower() in MONTHS), None)
    if month is None:
        return None
    numbers = [w for w in words if w.isdigit()]
    if any(
        w.lower() not in MONTHS
        and not w.isdigit()
        and w.lower() not in ("of", "the", "st", "nd", "rd", "th", "de", "del", "early", "mid", "late")
        for w in words
    ):
        return None
    years = [n for n in numbers if len(n) == 4]
    rest = [n for n in numbers if len(n) < 4]
    day_known = bool(rest) and int(rest[0]) <= 31
    if len(rest) > 2 or (len(rest) == 2 and years):
        return None
    short_year = rest[1] if len(rest) == 2 else None
    year = int(years[0]) if years else _year(short_year) if short_year else 2023
    moved = _move(year, month, int(rest[0]) if day_known else 15, days)
    if moved is None:
        return None

    def part(m: regex.Match) -> str:
        w = m.group()
        if w.lower() in MONTHS:
            new = _ENGLISH[moved.month - 1]
            return _cased(
                new
                if len(w) > 4 or w.lower() in [e.lower() for e in _ENGLISH] and w.lower() != "may"
                else new[:3],
                w,
            )
        if w.isdigit():
            if len(w) == 4:
                return str(moved.year)
            return (
                f"{moved.year % 100:02d}"
                if short_year is not None and m.start() == text.rfind(short_year)
                else str(moved.day)
            )
        if w.lower() in ("st", "nd", "rd", "th"):
            return "th" if 11 <= moved.day <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(moved.day % 10, "th")
        return w

    return regex.sub(r"\p{L}+|\d+", part, text)


def _year(text: str) -> int:
    year = int(text)
    return year if year > 99 else year + (2000 if year < 40 else 1900)


def _move(year: int, month: int, day: int, days: int) -> dt.date | None:
    try:
        return dt.date(year, month, day) + dt.timedelta(days=days)
    except (ValueError, OverflowError):
        return None
