"""All stand-ins of one patient: which kind of value is replaced by what."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from functools import cached_property

import regex

from preceptor.deid.policies import POLICIES, Policy
from preceptor.deid.record_matching import people_of
from preceptor.deid.surrogates import ages, dates
from preceptor.deid.surrogates.contacts import Contacts
from preceptor.deid.surrogates.draws import Draws
from preceptor.deid.surrogates.names import Names
from preceptor.deid.surrogates.numbers import Numbers
from preceptor.deid.surrogates.occupations import Occupations
from preceptor.deid.surrogates.places import Places, zip_area
from preceptor.deid.surrogates.switches import Switches
from preceptor.deid.tokens import fold
from preceptor.deid.types import NUMBERS, PEOPLE
from preceptor.records import PatientRecord
from preceptor.settings import DeidSettings, RestrictedAreas

RESTRICTED_ZIP3 = frozenset(RestrictedAreas().prefixes)
_YEAR = regex.compile(r"(?<!\d)(?:19|20)\d{2}(?!\d)")
_SHORT_YEAR = regex.compile(r"\d{2}")
_TAKES_A_DAY = regex.compile(r"(?i)\b(?:on|until|till|since|by|before|after)\s+$")
_WORD = regex.compile(r"\p{L}+(?:['’]\p{L}+)*")


class Surrogates:
    """The stand-ins of one patient. `values`: (type, text) of all spans in the patient's documents.

    `offset`: the days that the patient's dates move by. `redraw`: the probability that an identity takes a new
    stand-in at a mention (switches.py); then the order of the calls counts.
    """

    def __init__(
        self,
        secret: bytes,
        patient_ref: str,
        record: PatientRecord | None,
        values: Iterable[tuple[str, str]],
        date_shift_days: int = 365,
        *,
        policy: Policy = POLICIES["shifted"],
        keep_weekdays: bool = False,
        redraw: float = 0.0,
        restricted_zip3: Collection[str] = RESTRICTED_ZIP3,
        oldest_birth_year: int | None = None,
        sexes: Mapping[str, str] | None = None,
    ) -> None:
        values = list(values)
        self._values, self._policy, self._restricted = values, policy, restricted_zip3
        # A shifted text only tells ages as of its own newest year; one cut to years is read as of today.
        self._oldest = oldest_birth_year if policy.dates == "generalised" else None
        self._born = dates.day_of(record.birth_date) if record and record.birth_date else None
        self._redraws, self._made = redraw > 0, dict[tuple[str, str], str]()
        self._draws = Draws(secret, patient_ref, _own_words(record, values))
        switches = Switches(self._draws, redraw)
        self._names = Names(self._draws, switches, record, values, sexes or {})
        self._contacts = Contacts(self._draws, self._names)
        self._places = Places(self._draws, switches)
        self._work = Occupations(self._draws)
        known = [(t, v) for t, v in values if t in NUMBERS]
        self._numbers = Numbers(self._draws, switches, [*known, *_record_numbers(record)])
        self.offset = _offset(self._draws, date_shift_days, keep_weekdays)

    @classmethod
    def of(
        cls,
        settings: DeidSettings,
        secret: bytes,
        patient_ref: str,
        record: PatientRecord | None,
        values: Iterable[tuple[str, str]],
        sexes: Mapping[str, str] | None = None,
    ) -> Surrogates:
        """The stand-ins of one patient as the settings want them."""
        return cls(
            secret,
            patient_ref,
            record,
            values,
            settings.date_shift_days,
            policy=POLICIES[settings.policy],
            keep_weekdays=settings.keep_weekdays,
            redraw=settings.redraw if settings.surrogates == "markov" else 0.0,
            restricted_zip3=frozenset(settings.restricted_zip3.prefixes),
            oldest_birth_year=settings.ages_as_of - 89,
            sexes=sexes,
        )

    def replace(self, type: str, value: str, near: dt.date | None = None, before: str = "") -> str:
        """The stand-in for a span's text. `near`: a day the note tells; `before`: the text before the span."""
        if type in ("DATE", "YEAR"):
            return self._date(type, value, near, before)
        if self._redraws:
            return self._stand_in(type, value)
        key = ("PATIENT" if type in PEOPLE else type, value)
        if key not in self._made:
            self._made[key] = self._stand_in(type, value)
        return self._made[key]

    def _stand_in(self, type: str, value: str) -> str:
        if type in PEOPLE:
            return self._names.replace(value)
        if type == "AGE":
            return value if self._policy.keeps("AGE") else ages.capped(value)
        if self._policy.keeps(type):
            return value
        if type == "ZIP":
            return zip_area(value, self._restricted) or self._numbers.replace(type, value)
        if type == "CITY":
            return self._places.city(value)
        if type == "STREET":
            return self._places.address(value)
        if type in ("HOSPITAL", "ORGANIZATION", "LOCATION_OTHER"):
            return self._places.institution(value)
        if type == "EMAIL":
            return self._contacts.email(value)
        if type == "URL":
            return self._contacts.url(value)
        if type == "USERNAME":
            return self._contacts.username(value)
        if type == "PROFESSION":
            return self._work.replace(value)
        if type == "IP" and "." in value:
            return "192.0.2." + str(self._draws.number("ip", value) % 254 + 1)  # TEST-NET-1, RFC 5737
        return self._numbers.replace(type, value)

    def _date(self, type: str, value: str, near: dt.date | None, before: str) -> str:
        dates_are = self._policy.dates
        if dates_are == "kept":
            return value
        years = _years(type, value)
        if any(y < self._first_year_shown for y in years):
            return f"{self._first_year_shown - 1} or earlier"
        if type == "YEAR":
            return self._year(value, years) if dates_are == "shifted" else value
        if dates_are == "shifted":
            return dates.shift_date(value, self.offset, near) or "[DATE]"
        if dates.is_relative(value):
            return value
        if not years:
            return "[DATE]"
        year = " to ".join(map(str, years))
        # "Seen on 2024" is no English.
        return f"a day in {year}" if _TAKES_A_DAY.search(before) else year

    def _year(self, value: str, years: list[int]) -> str:
        """A year as it is; that of the patient's birth moves with the birth date, so that the two agree."""
        if self._born is None or years != [self._born.year]:
            return value
        moved = self._born + dt.timedelta(days=self.offset)
        return value.replace(str(self._born.year), str(moved.year))

    @cached_property
    def _first_year_shown(self) -> int:
        """Years before this one, of somebody's birth, would tell an age over 89 in the newest year that is written."""
        written = [y for t, v in self._values if t in ("DATE", "YEAR") for y in dates.years_of(v) or ()]
        told = [self._oldest] if self._oldest is not None else []
        return max([*told, *(y - 89 for y in written if y <= 2100)], default=0)


def anchor(values: Iterable[str]) -> dt.date | None:
    """The day a note is about: the first of its whole dates that lies within about a year of its last one."""
    days = [d for v in values if (d := dates.day_of(v))]
    return next((d for d in days if (max(days) - d).days < 400), None)


def _years(type: str, value: str) -> list[int]:
    """The years that are written in a value, each once, also where it cannot be read as a date."""
    written = dates.years_of(value)
    if written is None:
        written = list(dict.fromkeys(map(int, _YEAR.findall(value))))
    if type == "YEAR" and not written and (m := _SHORT_YEAR.search(value)):
        return [int(m.group()) + (2000 if int(m.group()) < 40 else 1900)]
    return written


def _offset(draws: Draws, most: int, keep_weekdays: bool) -> int:
    """One to `most` days, back or forward; a multiple of 7 where weekdays are to stay."""
    step = 7 if keep_weekdays else 1
    reach = max(1, most // step)
    n = draws.number("shift", "") % (2 * reach)
    return step * (n - reach if n < reach else n - reach + 1)


def _own_words(record: PatientRecord | None, values: Iterable[tuple[str, str]]) -> set[str]:
    """All words of the patient's known values, folded: no stand-in may be one of them."""
    known = [name for _, name in people_of(record)] if record else []
    if record:
        known += [*record.organisations, *record.addresses, *record.emails, *record.identifiers.values()]
    return set(_WORD.findall(fold("\n".join((*known, *(v for _, v in values))))))


def _record_numbers(record: PatientRecord | None) -> list[tuple[str, str]]:
    if record is None:
        return []
    return [("PHONE", v) for v in record.phones] + [
        (
            "SSN"
            if "ssn" in k.lower() or "social" in k.lower()
            else "MRN"
            if "mrn" in k.lower()
            else "IDNUM",
            v,
        )
        for k, v in record.identifiers.items()
        if any(c.isdigit() for c in v)
    ]
