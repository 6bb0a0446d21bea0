"""The same note about other people: every identifier is drawn anew, so that training cannot learn them by heart.

Names come from many origins, from words that are names and from the long tail; dates, numbers and places in forms that
the note did not have. One word of a note's people stays one word.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from functools import cache
from random import Random

from preceptor.deid.tagger.notes import Piece
from preceptor.deid.tokens import fold
from preceptor.deid.types import NUMBERS, PEOPLE
from preceptor.deid.words import census, first_name_rank, lexicon, surname_rank

# Faker's locales whose names are written in Latin letters, and some that it gives in both.
_LOCALES = (
    "en_GB", "en_IN", "en_NG", "en_IE", "en_NZ", "es_MX", "es_CO", "pt_BR", "fr_FR", "fr_CA", "de_DE", "nl_NL",
    "it_IT", "pl_PL", "cs_CZ", "hu_HU", "ro_RO", "hr_HR", "tr_TR", "az_AZ", "fi_FI", "no_NO", "sv_SE", "da_DK",
    "lv_LV", "lt_LT", "et_EE", "vi_VN", "id_ID", "fil_PH", "zu_ZA", "tw_GH", "yo_NG", "ha_NG", "ig_NG", "ga_IE",
    "sq_AL", "sk_SK", "sl_SI", "es_AR", "pt_PT", "en_KE",
)  # fmt: skip
_PARTICLES = frozenset(
    "de la van von der den del della al el bin ibn bint abu ben dos da di du le st ter ten y e the".split()
)
_MONTHS = "January February March April May June July August September October November December".split()
_WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_SUFFIXES = "Street St St. Avenue Ave Ave. Road Rd Lane Ln Drive Dr Court Ct Boulevard Blvd Way Terrace Place Pl Circle Trail Highway Pike Parkway Loop Row Square".split()
_HOSPITALS = (
    "{n} Hospital", "{n} Medical Center", "{n} Memorial Hospital", "St. {f}'s", "St. {f} Hospital", "Saint {f} Medical Center",
    "{n} General", "{n} Regional", "{n} Clinic", "{n} Health", "{n} Family Medicine", "{n} Heart Institute", "{n} Orthopedics",
    "{n} Behavioral Health", "{n} Community Health Center", "{n} Children's", "{n} VA", "{n} Rehab", "{n} Surgery Center",
    "University of {n} Hospital", "{n}-{m} Clinic", "{n} & {m} Dental", "{n} Urgent Care", "{n} Care Center", "{n} Manor",
    "Our Lady of {n}", "{n} Hospice", "{n} Counseling", "{n} Imaging", "{n} Eye Associates", "{n} County Hospital", "{n}", "{n} Med Ctr",
    "Mercy {n}", "Good Samaritan {n}", "{n} Dialysis", "{n} Nursing and Rehabilitation", "{n} Pain Management", "{n} Primary Care",
)  # fmt: skip
_COMPANIES = (
    "{n} Elementary", "{n} High School", "{n} Middle School", "{n} Pharmacy", "{n} Construction", "{n} & Sons", "{n} Foods",
    "{n} Trucking", "First {n} Church", "{n} Baptist Church", "{n} Community College", "{n} Police Department", "{n} Fire Dept",
    "{n} Logistics", "{n} Insurance", "{n} Mutual", "{n} Credit Union", "{n} Home Care", "{n} Steel", "{n} Diner", "{n} Farms",
    "{n} Shelter", "{n} Legal Aid", "{n} County Schools", "{n} Transit", "{n} Auto Body", "{n} Tool and Die", "{n} Library",
    "{n} Electric", "{n} House", "{n} Ambulance", "{n} University", "{n} State", "{n} Market", "{n} Laboratories", "{n} Lab", "{n} Medical Supply",
    "Camp {n}", "Temple {n}", "Masjid {n}", "{n} Lutheran", "{n} Day Care", "{n} Preschool", "{n} Bank", "{n} Glass", "{n} Packing", "{n}",
)  # fmt: skip
_LOCATIONS = (
    "Room {d}", "Rm {d}", "room {d}", "Bed {d}", "bed {d}", "{d}A", "Ward {d}", "{n} Park", "{n} Lake", "Lake {n}", "{n} Bridge",
    "{n} County", "{n} Heights", "{n} Ridge", "{n} Creek", "{n} Pavilion", "{n} Tower", "{n} Building", "{n} Hall", "{n} Beach",
    "Mount {n}", "{n} Reservation", "{n} Mall", "{n} River", "{n} Falls", "{n} Canyon", "Fort {n}", "{n} Unit", "the {n}", "{d} West", "{d} North",
    "{d}E", "ICU bed {d}", "Bay {d}", "OR {d}", "{n} Square", "{n} Station", "{n} Arena", "{n} Trailhead", "exit {d}", "Suite {d}", "Apt {d}", "Unit {d}",
)  # fmt: skip
_SHAPES = (
    "0000000", "00000000", "000000", "A000000", "AA000000", "00-00-0000", "000-00-0000", "AA-0000-00", "A-00000", "000-000", "0000-0000",
    "00000", "AAA-00000", "00AA0000", "AA-00-000000", "0000000000", "000 000 000", "A00-0000", "AA00000000", "0A00-AA0-AA00", "00-000000",
    "AAA0000", "000000-00", "AA:00:00000", "0000-AA", "00/0000", "AA.0000.00", "000AAA00000",
)  # fmt: skip
_PHONES = (
    "({a}) 555-{d}", "{a}-555-{d}", "{a}.555.{d}", "{a} 555 {d}", "555-{d}", "+1 {a} 555 {d}", "1-{a}-555-{d}", "{a}555{d}", "x{e}",
    "ext {e}", "{a}/555-{d}", "({a})555-{d}", "{a}-555-{d} x{e}", "+1-{a}-555-{d}", "{a}-{b}-{d}", "({a}) {b}-{d}", "{b}-{d}", "5-{d}", "{d}",
)  # fmt: skip


def redraw(pieces: Sequence[Piece], draw: Random) -> list[Piece]:
    """The same note with other identifiers. A fifth of the spans stay, since real values have a charm of their own."""
    names: dict[str, str] = {}
    return [
        Piece(_as_written(_other(piece, draw, names), piece.text), piece.type)
        if piece.type and draw.random() > 0.2
        else piece
        for piece in pieces
    ]


def _as_written(new: str, old: str) -> str:
    if len(old) > 3 and old.isupper():
        return new.upper()
    return new.lower() if old.islower() and not re.search(r"\d", old) else new


def _other(piece: Piece, draw: Random, names: dict[str, str]) -> str:
    old, kind = piece
    if kind in PEOPLE:
        return _people(old, draw, names)
    if kind == "DATE":
        return _date(old, draw)
    if kind in ("YEAR", "AGE", "ZIP"):
        return (
            re.sub(r"\d+", lambda m: _digits(m[0], draw), old)
            if kind != "YEAR"
            else str(draw.randint(1940, 2026))
        )
    if kind in ("PHONE", "FAX"):
        return _phone(draw) if draw.random() < 0.6 else _shaped(old, draw)
    if kind in NUMBERS:
        return (
            _shaped(draw.choice(_SHAPES), draw)
            if draw.random() < 0.35 and kind != "IP"
            else _shaped(old, draw)
        )
    if kind in ("HOSPITAL", "ORGANIZATION", "LOCATION_OTHER", "STREET", "CITY", "STATE", "COUNTRY"):
        return _place(old, kind, draw)
    if kind in ("EMAIL", "URL", "USERNAME"):
        return re.sub(
            r"[A-Za-z]{3,}",
            lambda m: _local(m[0], draw),
            re.sub(r"\d", lambda m: str(draw.randrange(10)), old),
        )
    if kind == "PROFESSION" and draw.random() < 0.5:
        return draw.choice(sorted(lexicon("occupations")))
    return old


# --- people


@cache
def _pools() -> dict[str, tuple[tuple[str, ...], ...]]:
    """First names and surnames: those of the census by rank, those of other origins, and words that are names."""
    from faker import Faker

    first: list[str] = []
    last: list[str] = []
    for locale in _LOCALES:
        try:
            provider = Faker(locale)
        except AttributeError:  # a locale that this version of Faker lacks
            continue
        provider.seed_instance(7)
        first += [provider.first_name() for _ in range(150)]
        last += [provider.last_name() for _ in range(150)]
    census_first = tuple(sorted(sorted({*census("male"), *census("female")}), key=first_name_rank))
    census_last = tuple(sorted(census("last"), key=surname_rank))
    words = tuple(
        sorted(
            word for word in lexicon("word_names") | lexicon("eponyms") if word.isalpha() and len(word) > 2
        )
    )
    latin = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")
    return {
        "first": (census_first, tuple(sorted({w for name in first for w in latin.findall(name) if w.isascii() or ord(max(w)) < 0x250})), words),
        "last": (census_last, tuple(sorted({w for name in last for w in latin.findall(name) if w.isascii() or ord(max(w)) < 0x250})), words),
    }  # fmt: skip


def name_word(kind: str, draw: Random) -> str:
    """A first name or surname: frequent, from the long tail, of another origin, or a word that is also a name."""
    ranked, origins, words = _pools()[kind]
    chance = draw.random()
    if chance < 0.25:
        word = ranked[int(len(ranked) * 0.1 * draw.random() ** 2)]
    elif chance < 0.45:
        word = draw.choice(ranked)
    elif chance < 0.85:
        word = draw.choice(origins)
    else:
        word = draw.choice(words)
    return word if word[0].isupper() else word.title()


def _people(old: str, draw: Random, names: dict[str, str]) -> str:
    words = re.findall(r"[^\W\d_]+(?:['’][^\W\d_]+)*", old)
    whole = [word for word in words if len(word) > 1 and fold(word) not in _PARTICLES]
    if len(whole) >= 2 and draw.random() < 0.3:
        return _written(draw, names, whole)
    count = len(words)

    def other(match: re.Match[str]) -> str:
        word = match[0]
        if fold(word) in _PARTICLES:
            return word
        if len(word) == 1:
            return (
                draw.choice("ABCDEFGHIJKLMNOPRSTVWYZ")
                if word.isupper()
                else draw.choice("abcdefghjklmnprstvw")
            )
        if len(word) == 2 and word.isupper() and count == 1:
            return "".join(draw.choice("ABCDEFGHJKLMNPRSTVWY") for _ in word)
        new = _same(word, draw, names)
        return new.upper() if word.isupper() else new.lower() if word.islower() else new

    new = re.sub(r"[^\W\d_]+(?:['’][^\W\d_]+)*", other, old)
    if count == 1 and len(old) > 2 and draw.random() < 0.08:
        new += "-" + name_word("last", draw)
    return new


def _same(word: str, draw: Random, names: dict[str, str]) -> str:
    key = fold(word)
    if key not in names:
        first = first_name_rank(key) * 4 < surname_rank(key) or (
            first_name_rank(key) == 10**6 and draw.random() < 0.3
        )
        names[key] = name_word("first" if first else "last", draw)
    return names[key]


def _written(draw: Random, names: dict[str, str], words: list[str]) -> str:
    first, last = _same(words[0], draw, names), _same(words[-1], draw, names)
    middle, second = draw.choice("ABCDEFGHJKLMNPRSTW"), name_word("last", draw)
    name = draw.choice((
        f"{first} {last}", f"{last}, {first}", f"{last},{first}", f"{first} {middle}. {last}", f"{last}, {first} {middle}", f"{first[0]}. {last}",
        f"{first[0]} {last}", f"{last} {first[0]}", f"{first} {last}-{second}", f"{first} de {last}", f"{first} van der {last}",
        f"{first} {second} {last}", f"{last.upper()}, {first.upper()}", f"{last.upper()} {first}", f"{last}, {first[0]}.", f"{first} \"{name_word('first', draw)}\" {last}",
        f"{first} {last} Jr.", f"{last}^{first}", f"{first}  {last}", f"{last} {first}", f"{first[0]}.{middle}. {last}", f"{first} O'{last}", f"{first} Mc{last}", f"{first} {last} III",
    ))  # fmt: skip
    return name


# --- dates


def _date(old: str, draw: Random) -> str:
    low = old.lower()
    named = next((m for m in _MONTHS if re.search(rf"(?<![a-z]){m[:3].lower()}", low)), None)
    digits = re.findall(r"\d+", old)
    weekday = any(re.search(rf"(?<![a-z]){d[:3].lower()}", low) for d in _WEEKDAYS)
    day = (
        dt.date(1930, 1, 1) + dt.timedelta(draw.randrange(35500))
        if draw.random() < 0.3
        else dt.date(2008, 1, 1) + dt.timedelta(draw.randrange(6900))
    )
    if weekday and not digits and not named:
        return _weekday(old, draw)
    if named and not digits:
        return _cased_month(draw, old)
    if not digits:
        return draw.choice(_holidays()) if draw.random() < 0.6 else old
    full = len(digits) >= 3 or (named and len(digits) >= 2) or len(old) >= 8
    if re.search(r"\d:\d|T\d", old) and draw.random() < 0.5:
        return (
            f"{full_date(day, draw)} {draw.randrange(24):02d}:{draw.randrange(60):02d}"
            if ":" in old
            else re.sub(r"\d", lambda m: str(draw.randrange(1, 10)), old)
        )
    if full:
        return (f"{draw.choice(_WEEKDAYS)}, " if weekday else "") + full_date(day, draw)
    return part_date(day, draw, bool(named)) if draw.random() < 0.8 else old


@cache
def _holidays() -> tuple[str, ...]:
    return tuple(line.split("|")[0].title() for line in sorted(lexicon("holidays")))


def _weekday(old: str, draw: Random) -> str:
    new = draw.choice(_WEEKDAYS)
    old_word = re.search(r"[A-Za-z]+", old)
    short = old_word is not None and not old_word[0].lower().endswith("day")
    return draw.choice((new[:3], new[:4] if new[0] in "TW" else new[:3])) if short else new


def _cased_month(draw: Random, old: str) -> str:
    month = draw.choice(_MONTHS)
    return re.sub(
        r"(?i)(?<![a-z])(?:" + "|".join(m[:3] + "[a-z]*" for m in _MONTHS) + ")",
        lambda m: month if len(m[0]) > 4 else month[:3],
        old,
    )


def full_date(day: dt.date, draw: Random) -> str:
    """A whole date in one of many forms."""
    d, m, y, name = day.day, day.month, day.year, _MONTHS[day.month - 1]
    short = f"{y % 100:02d}"
    suffix = "th" if 11 <= d <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(d % 10, "th")
    return draw.choice((
        f"{m}/{d}/{y}", f"{m:02d}/{d:02d}/{y}", f"{m}/{d}/{short}", f"{m:02d}/{d:02d}/{short}", f"{m}-{d}-{short}", f"{m:02d}-{d:02d}-{y}",
        f"{y}-{m:02d}-{d:02d}", f"{y}/{m:02d}/{d:02d}", f"{y}.{m:02d}.{d:02d}", f"{y}{m:02d}{d:02d}", f"{d:02d}-{name[:3]}-{y}", f"{d}-{name[:3].upper()}-{short}",
        f"{d:02d}{name[:3].upper()}{y}", f"{name} {d}, {y}", f"{name[:3]} {d}, {y}", f"{name[:3]}. {d}, {y}", f"{d} {name} {y}", f"{d} {name[:3]} {short}",
        f"{name} {d}{suffix}, {y}", f"the {d}{suffix} of {name} {y}", f"{m}.{d}.{short}", f"{d:02d}.{m:02d}.{y}", f"{name[:3]} {d} {y}", f"{m}/{d}/'{short}", f"{name[:3]}-{d:02d}-{y}",
    ))  # fmt: skip


def part_date(day: dt.date, draw: Random, named: bool) -> str:
    """A date without its year or without its day."""
    d, m, y, name = day.day, day.month, day.year, _MONTHS[day.month - 1]
    suffix = "th" if 11 <= d <= 13 else {1: "st", 2: "nd", 3: "rd"}.get(d % 10, "th")
    if named or draw.random() < 0.15:
        return draw.choice((
            f"{name} {d}", f"{name[:3]} {d}", f"{name} {y}", f"{name[:3]} {y}", f"{d} {name}", f"{d} {name[:3]}", f"{name} {d}{suffix}", f"{name[:3]} '{y % 100:02d}",
            f"the {d}{suffix} of {name}", f"mid-{name}", f"early {name} {y}", f"{name[:3]}. {d}", f"late {name}", f"{name} of {y}",
        ))  # fmt: skip
    return draw.choice(
        (
            f"{m}/{d}",
            f"{m:02d}/{d:02d}",
            f"{m}/{d}",
            f"{m}-{d}",
            f"{m}/{y}",
            f"{m:02d}/{y % 100:02d}",
            f"the {d}{suffix}",
            f"{m}.{d}",
        )
    )


# --- places and numbers


def place_word(draw: Random) -> str:
    chance = draw.random()
    if chance < 0.45:
        return name_word("last", draw)
    if chance < 0.75:
        return draw.choice(_city_names())
    return " ".join(draw.choice(_WORDS).title() for _ in range(1 + (draw.random() < 0.5)))


@cache
def _city_names() -> tuple[str, ...]:
    return tuple(name.title() for name in sorted(lexicon("cities")))


_WORDS = (
    "cedar pine oak river lake hill stone bright clear green silver golden north south east west prairie harbor valley spring creek "
    "summit meadow eagle hawk bear wolf willow maple birch sunrise sunset grand union liberty pioneer heritage hope grace mercy trinity "
    "providence evergreen horizon cornerstone keystone lighthouse crossroads bluff canyon mesa delta island bay coral magnolia laurel"
).split()


def _place(old: str, kind: str, draw: Random) -> str:
    if draw.random() < 0.25 or kind in ("STATE", "COUNTRY"):
        return old
    name, other, number = (
        place_word(draw),
        name_word("last", draw),
        str(draw.choice((draw.randrange(1, 40), draw.randrange(100, 999), draw.randrange(1000, 9000)))),
    )
    if kind == "CITY":
        return name if draw.random() < 0.4 else draw.choice(_city_names())
    if kind == "STREET":
        if not re.search(r"\d", old) and draw.random() < 0.5:
            return f"{name} {draw.choice(_SUFFIXES)}"
        side = draw.choice(("", "", "", "N ", "S ", "East ", "W. "))
        unit = draw.choice(
            (
                "",
                "",
                "",
                f", Apt {draw.randrange(1, 60)}",
                f" #{draw.randrange(1, 60)}",
                f", Unit {draw.randrange(1, 40)}B",
            )
        )
        return draw.choice((f"{number} {side}{name} {draw.choice(_SUFFIXES)}{unit}", f"{number} {draw.randrange(2, 99)}th {draw.choice(_SUFFIXES[:6])}{unit}", f"PO Box {number}", f"{number} County Road {draw.randrange(2, 90)}", f"{number} {name} {draw.choice(_SUFFIXES)}"))  # fmt: skip
    forms = {"HOSPITAL": _HOSPITALS, "ORGANIZATION": _COMPANIES, "LOCATION_OTHER": _LOCATIONS}[kind]
    if kind == "LOCATION_OTHER" and not re.search(r"[A-Z]\w+", old):
        return re.sub(r"\d+", lambda m: _digits(m[0], draw), old)
    return draw.choice(forms).format(n=name, m=other, f=name_word("first", draw), d=number)


def _phone(draw: Random) -> str:
    return draw.choice(_PHONES).format(
        a=draw.randrange(201, 990),
        b=draw.randrange(200, 999),
        d=f"{draw.randrange(10000):04d}",
        e=draw.randrange(100, 99999),
    )


def _shaped(shape: str, draw: Random) -> str:
    """Other digits and capitals in the same places; words such as `ext` stay."""
    return "".join(
        str(draw.randrange(10))
        if c.isdigit()
        else draw.choice("ABCDEFGHJKLMNPRSTUVWXYZ")
        if c.isupper()
        else c
        for c in shape
    )


def _digits(old: str, draw: Random) -> str:
    return str(draw.randrange(10 ** (len(old) - 1) if len(old) > 1 else 1, 10 ** len(old)))


def _local(old: str, draw: Random) -> str:
    return (
        old
        if old.lower() in ("com", "org", "net", "www", "http", "https", "example", "edu", "gov")
        else fold(name_word("last", draw))
    )
