"""Dates move by one number of days in the form they are written in, or are cut to what a policy leaves."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from preceptor.deid.policies import POLICIES
from preceptor.deid.surrogates import Surrogates, age_of, anchor, shift_date
from preceptor.deid.surrogates.dates import day_of, is_relative, years_of
from preceptor.deid.surrogates.holidays import easter

SECRET = bytes(range(32))


@pytest.mark.parametrize(
    ("text", "days", "moved"),
    [
        # ISO and stamps
        ("2024-03-14", 1, "2024-03-15"),
        ("2024-12-31", 1, "2025-01-01"),
        ("2024-30-12", 3, "2025-02-01"),
        ("2024/3/9", 1, "2024/3/10"),
        ("2024-03-14T14:22:05Z", 1, "2024-03-15T14:22:05Z"),
        ("2024-03-14 14:22", 1, "2024-03-15 14:22"),
        ("20240314", 20, "20240403"),
        ("202403141422", 20, "202404031422"),
        # American and European figures
        ("3/14/24", 20, "4/3/24"),
        ("03/14/2024", 20, "04/03/2024"),
        ("3-14-24", 20, "4-3-24"),
        ("14.3.2024", 20, "3.4.2024"),
        ("3/14/'24", 20, "4/3/'24"),
        ("03 14 2024", 20, "04 03 2024"),
        ("3/14", 20, "4/3"),
        ("03/14", 20, "04/03"),
        ("12/30/99", 3, "01/02/00"),
        ("3/2024", 31, "4/2024"),
        ("03/2024", 300, "01/2025"),
        ("2024-03", 31, "2024-04"),
        ("l2/3O/23", 3, "01/02/24"),
        # months spelled out
        ("14-Mar-24", 20, "03-Apr-24"),
        ("14MAR2024", 20, "03APR2024"),
        ("14 Mar 2024", 20, "3 Apr 2024"),
        ("Mar. 14, 2024", 20, "Apr. 3, 2024"),
        ("Apr. 14, 2024", 20, "May 4, 2024"),
        ("07-May-24", 30, "06-Jun-24"),
        ("May 7, 2024", 30, "June 6, 2024"),
        ("MARCH 14TH, 2024", 20, "APRIL 3RD, 2024"),
        ("march 14", 20, "april 3"),
        ("March the 14th", 20, "April the 3rd"),
        ("3rd of May", 20, "23rd of May"),
        ("the second of March", 20, "the twenty second of March"),
        ("Feb. 1st", 1, "Feb. 2nd"),
        ("Sept 30", 1, "Oct 1"),
        ("14 de marzo de 2024", 20, "3 de abril de 2024"),
        ("March 2024", 31, "April 2024"),
        ("Mar '24", 31, "Apr '24"),
        ("Mar-24", 31, "Apr-24"),
        ("March", 31, "April"),
        ("mid-October", 31, "mid-November"),
        ("early May", 27, "early June"),
        ("late May", 7, "late June"),
        ("the end of May", 7, "the end of June"),
        # ranges and lists
        ("Jan/Feb 2022", 31, "Feb/Mar 2022"),
        ("June 2-9, 2019", 1, "June 3-10, 2019"),
        ("June 27-29, 2019", 2, "June 29-July 1, 2019"),
        ("Dec 30, 2021 - Jan 2, 2022", 5, "Jan 4, 2022 - Jan 7, 2022"),
        ("3/14-3/17", 20, "4/3-4/6"),
        ("3/14/24 to 3/17/24", 20, "4/3/24 to 4/6/24"),
        # seasons, quarters, holidays
        ("fall 2019", 92, "winter 2020"),
        ("autumn", 365, "autumn"),
        ("Q3 2023", 92, "Q4 2023"),
        ("the first quarter of 2024", -92, "the fourth quarter of 2023"),
        ("Christmas 2023", 10, "January 4, 2024"),
        ("Easter Monday 2024", 1, "April 2, 2024"),
        ("thanksgiving 2023", 1, "november 24, 2023"),
        # weekdays
        ("Friday", 3, "Monday"),
        ("FRI", 3, "MON"),
        ("Tues", 1, "Wed"),
        ("Tues", 2, "Thurs"),
        ("Thu", 5, "Tue"),
        ("tuesdays", 1, "wednesdays"),
        ("martes", 1, "miércoles"),
        ("Friday, March 1", -1, "Thursday, February 29"),
        ("Mon 03/11/2024", 2, "Wed 03/13/2024"),
        ("Friday the 9th", 1, "Saturday the 10th"),
        ("the week of June 17", 7, "the week of June 24"),
        ("Sat-Sun", 1, "Sun-Mon"),
        # dictated
        ("march fourteenth twenty twenty four", 20, "april third twenty twenty four"),
        ("eleven eight ninety nine", 1, "eleven nine ninety nine"),
        ("the fourteenth", 1, "the fifteenth"),
        # what stays
        ("2019", 300, "2019"),
        ("tomorrow", 300, "tomorrow"),
    ],
)
def test_a_date_moves_in_its_own_form(text, days, moved):
    assert shift_date(text, days, dt.date(2024, 3, 14)) == moved


@pytest.mark.parametrize(
    "text",
    [
        "02/30/2024",
        "13/32/2024",
        "2023-02-29",
        "Feb 30, 2024",
        "0/0/24",
        "20241332",
        "some time",
        "14 apples",
    ],
)
def test_what_is_no_date_is_not_read(text):
    assert shift_date(text, 5) is None


def test_a_date_that_cannot_be_read_is_masked():
    assert Surrogates(SECRET, "p", None, []).replace("DATE", "02/30/2024") == "[DATE]"


@pytest.mark.parametrize(
    ("text", "days", "moved"),
    [
        ("02/29/2024", 365, "02/28/2025"),
        ("02/29/2024", 366, "03/01/2025"),
        ("02/28/2023", 1, "03/01/2023"),
        ("02/28/2024", 1, "02/29/2024"),
        ("2/29", 1, "3/1"),
        ("Leap Day", 1, "March 1"),
    ],
)
def test_leap_days(text, days, moved):
    assert shift_date(text, days, dt.date(2024, 3, 14)) == moved


@pytest.mark.parametrize(
    ("near", "moved"),
    [(dt.date(2024, 3, 14), "2/29"), (dt.date(2023, 3, 14), "3/1"), (dt.date(2025, 1, 2), "3/1")],
)
def test_a_date_without_its_year_is_of_the_year_closest_to_what_the_note_tells(near, moved):
    assert shift_date("2/28", 1, near) == moved


def test_a_weekday_tells_the_year():
    """1 March was a Friday in 2024 and a Wednesday in 2023."""
    assert shift_date("Friday, March 1", -1, dt.date(2023, 9, 1)) == "Thursday, February 29"
    assert shift_date("Wednesday, March 1", -1, dt.date(2024, 1, 2)) == "Tuesday, February 28"


FORMATS = (
    "%Y-%m-%d",
    "%m/%d/%Y",
    "%m/%d/%y",
    "%d-%b-%y",
    "%d %b %Y",
    "%B %d, %Y",
    "%b %d, %Y",
    "%Y%m%d",
    "%A, %B %d, %Y",
)


def read(text, form):
    """May is a short form and a full one, so what it becomes may be either."""
    try:
        return dt.datetime.strptime(text, form).date()
    except ValueError:
        return dt.datetime.strptime(text, form.replace("%b", "%B")).date()


DAYS = st.dates(dt.date(1971, 1, 1), dt.date(2038, 1, 1))


@settings(max_examples=150, deadline=None)
@given(day=DAYS, days=st.integers(-365, 365), form=st.sampled_from(FORMATS))
def test_every_day_moves_by_exactly_the_offset(day, days, form):
    moved = shift_date(day.strftime(form), days)
    assert moved is not None
    assert read(moved, form) - day == dt.timedelta(days=days)


@settings(max_examples=100, deadline=None)
@given(
    day=DAYS,
    gap=st.integers(1, 60),
    days=st.integers(-365, 365),
    forms=st.tuples(*[st.sampled_from(FORMATS)] * 2),
)
def test_intervals_are_kept_between_any_two_forms(day, gap, days, forms):
    other = day + dt.timedelta(days=gap)
    a, b = (read(str(shift_date(d.strftime(f), days)), f) for d, f in zip((day, other), forms, strict=True))
    assert (b - a).days == gap


@settings(max_examples=100, deadline=None)
@given(day=DAYS, days=st.integers(-365, 365))
def test_a_date_without_a_year_keeps_the_interval_to_one_with_it(day, days):
    moved = shift_date(f"{day.month}/{day.day}", days, day)
    new = day + dt.timedelta(days=days)
    assert moved == f"{new.month}/{new.day}"


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="0123456789/-. ,:'adfhJMneoruyst", max_size=24), st.integers(-365, 365))
def test_no_text_breaks_the_reading(text, days):
    moved = shift_date(text, days)
    assert moved is None or isinstance(moved, str)


@pytest.mark.parametrize(
    "text",
    [
        "3/14/24",
        "14-Mar-24",
        "3rd of May",
        "mid-October",
        "Easter Monday",
        "Tues",
        "20240314",
        "Jan/Feb 2022",
        "March",
    ],
)
def test_weeks_keep_the_weekday(text):
    """`keep_weekdays`: the offset is a multiple of 7, so that what is told of weekdays stays true."""
    offsets = {Surrogates(SECRET, f"p-{n}", None, [], keep_weekdays=True).offset for n in range(100)}
    assert all(o % 7 == 0 and o != 0 and abs(o) <= 365 for o in offsets)
    assert len(offsets) > 40
    assert shift_date("Tuesday", 14) == "Tuesday"
    assert shift_date(text, 14, dt.date(2024, 3, 14)) is not None


def test_the_offset_is_the_patients():
    offsets = [Surrogates(SECRET, f"p-{n}", None, []).offset for n in range(300)]
    assert Surrogates(SECRET, "p-1", None, []).offset == offsets[1]
    assert Surrogates(bytes(32), "p-1", None, []).offset != offsets[1]
    assert len(set(offsets)) > 200
    assert 0 not in offsets
    assert all(1 <= abs(o) <= 365 for o in offsets)


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("3/14/24", [2024]),
        ("mid-March", []),
        ("Dec 30, 2023 - Jan 2, 2024", [2023, 2024]),
        ("soon", None),
        ("3/14/35", [2035]),
    ],
)
def test_the_years_of_a_date(text, years):
    assert years_of(text) == years


def test_the_day_a_note_is_about_is_no_birth_date():
    assert anchor(["04/02/1951", "3/11", "March 11, 2024", "03/12/2024"]) == dt.date(2024, 3, 11)
    assert anchor(["soon", "March"]) is None
    assert day_of("on 3/14/24 and later") is None
    assert day_of("3/14/24 to 3/17/24") == dt.date(2024, 3, 14)


def test_relative_days_are_no_dates():
    assert is_relative("tomorrow")
    assert is_relative("until tonight")
    assert not is_relative("3/14")
    assert not is_relative("Friday")


@pytest.mark.parametrize(
    ("year", "day"), [(2000, (4, 23)), (2024, (3, 31)), (2025, (4, 20)), (2038, (4, 25)), (2285, (3, 22))]
)
def test_easter(year, day):
    assert easter(year) == dt.date(year, *day)


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("93", 93),
        ("93 y/o", 93),
        ("93yo", 93),
        ("ninety one", 91),
        ("Ninety-One years", 91),
        ("eleven months", 0),
        ("18 mo", 1),
        ("3-week-old", 0),
        ("in her nineties", 95),
        ("late 90s", 95),
        ("a few years", None),
    ],
)
def test_the_age_a_span_tells(text, age):
    assert age_of(text) == age


@pytest.mark.parametrize(
    ("text", "capped"),
    [
        ("89", "89"),
        ("89-year-old", "89-year-old"),
        ("eighty nine", "eighty nine"),
        ("90", "90+"),
        ("93-year-old", "90+-year-old"),
        ("104 y.o.", "90+ y.o."),
        ("ninety one", "90+"),
        ("95 days", "95 days"),
        ("in her nineties", "in her nineties or older"),
    ],
)
@pytest.mark.parametrize("policy", ["safe_harbor", "shifted"])
def test_ages_over_89_are_one_category(text, capped, policy):
    assert Surrogates(SECRET, "p", None, [], policy=POLICIES[policy]).replace("AGE", text) == capped


BORN_1930 = [
    ("DATE", "11/05/1930"),
    ("AGE", "93"),
    ("DATE", "01/28/2024"),
    ("YEAR", "1930"),
    ("YEAR", "1998"),
]


@pytest.mark.parametrize("policy", ["safe_harbor", "shifted"])
def test_a_birth_date_does_not_tell_the_age_that_was_capped(policy):
    s = Surrogates(SECRET, "p", None, BORN_1930, policy=POLICIES[policy])
    new = [s.replace(kind, value) for kind, value in BORN_1930]
    assert new[0] == new[3] == "1934 or earlier"
    assert new[1] == "90+"
    assert new[4] == "1998"


def test_a_birth_date_that_tells_an_age_to_89_moves():
    values = [("DATE", "11/05/1935"), ("AGE", "88"), ("DATE", "01/28/2024")]
    s = Surrogates(SECRET, "p", None, values)
    born, _, seen = (s.replace(kind, value) for kind, value in values)
    days = [dt.datetime.strptime(d, "%m/%d/%Y") for d in (born, seen)]
    assert days[1] - days[0] == dt.datetime(2024, 1, 28) - dt.datetime(1935, 11, 5)


def test_age_and_birth_date_agree_at_every_visit():
    """However far the dates move, the age that is told stays the age at that visit."""
    born, visits = dt.date(1960, 3, 2), [dt.date(2024, 3, 1), dt.date(2024, 3, 2), dt.date(2023, 12, 31)]
    for n in range(50):
        s = Surrogates(SECRET, f"p-{n}", None, [])
        for visit in visits:
            age = visit.year - born.year - ((visit.month, visit.day) < (born.month, born.day))
            new_born, new_visit = (
                dt.date.fromisoformat(s.replace("DATE", d.isoformat())) for d in (born, visit)
            )
            told = (
                new_visit.year
                - new_born.year
                - ((new_visit.month, new_visit.day) < (new_born.month, new_born.day))
            )
            assert abs(told - age) <= 1  # a leap day between them may move a birthday by a day
            assert (new_visit - new_born).days == (visit - born).days


@pytest.mark.parametrize(
    ("text", "before", "expected"),
    [
        ("03/14/2024", "Seen on ", "a day in 2024"),
        ("03/14/2024", "DOB: ", "2024"),
        ("March 14, 2024", "until ", "a day in 2024"),
        ("March 2024", "in ", "2024"),
        ("Dec 30, 2023 - Jan 2, 2024", "Stay: ", "2023 to 2024"),
        ("3/14", "on ", "[DATE]"),
        ("Tuesday", "on ", "[DATE]"),
        ("tomorrow", "", "tomorrow"),
        ("02/30/2024", "", "2024"),
    ],
)
def test_safe_harbor_leaves_the_year(text, before, expected):
    s = Surrogates(SECRET, "p", None, [], policy=POLICIES["safe_harbor"])
    assert s.replace("DATE", text, before=before) == expected


def test_a_limited_data_set_keeps_dates():
    s = Surrogates(SECRET, "p", None, BORN_1930, policy=POLICIES["limited_dataset"])
    assert [s.replace(kind, value) for kind, value in BORN_1930] == [value for _, value in BORN_1930]


def test_a_note_stays_in_its_order():
    """A story in seven forms is told in the same order with the same gaps."""
    told = ["12/28/2023", "1/2", "the 9th", "Jan 16, 2024", "23-Jan-24", "2024-01-30", "Feb 6"]
    s = Surrogates(SECRET, "p-7", None, [("DATE", v) for v in told])
    near = anchor(told)
    new = [s.replace("DATE", v, near) for v in told]
    whole = [day_of(v) for v in new]
    known = [(n, d) for n, d in enumerate(whole) if d]
    assert [n for n, _ in known] == [0, 3, 4, 5]
    gaps = [(b[1] - a[1]).days for a, b in itertools.pairwise(known)]
    assert gaps == [19, 7, 7]
