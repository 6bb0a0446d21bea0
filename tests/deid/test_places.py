"""Places and occupations become others of their kind."""

from __future__ import annotations

import pytest

from preceptor.deid.surrogates import Surrogates, pools

SECRET = bytes(range(32))


def one(kind, value, patient="p-1", values=()):
    return Surrogates(SECRET, patient, None, values).replace(kind, value)


@pytest.mark.parametrize(
    ("kind", "value", "begins", "ends"),
    [
        ("HOSPITAL", "Sandoval Regional Medical Center", "", " Regional Medical Center"),
        ("HOSPITAL", "SANDOVAL REGIONAL HOSPITAL", "", " REGIONAL HOSPITAL"),
        ("HOSPITAL", "St. David's Medical Center", "St. ", "'s Medical Center"),
        ("HOSPITAL", "ST. DAVID'S MEDICAL CENTER", "ST. ", "'S MEDICAL CENTER"),
        ("HOSPITAL", "Children's Hospital of Denver", "Children's Hospital of ", ""),
        ("HOSPITAL", "the Larrabee Clinic", "the ", " Clinic"),
        ("ORGANIZATION", "Lone Star Bakery", "", " Bakery"),
        ("ORGANIZATION", "Garfield Elementary", "", " Elementary"),
        ("ORGANIZATION", "University of Tulsa", "University of ", ""),
        ("LOCATION_OTHER", "Lake Bemidji", "Lake ", ""),
        ("STREET", "9011 Bolsa Ave", "", " Ave"),
        ("STREET", "North Colfax Avenue", "North ", " Avenue"),
        ("STREET", "Calle Alvarado", "Calle ", ""),
    ],
)
def test_the_words_that_say_the_kind_stay(kind, value, begins, ends):
    for n in range(10):
        new = one(kind, value, f"p-{n}")
        assert new != value
        assert new.startswith(begins)
        assert new.endswith(ends)
        assert len(new) > len(begins) + len(ends)
        names = {w for w in value.split() if w not in begins + ends}
        assert not names & set(new.split())


def test_a_place_is_the_same_in_every_form():
    forms = ["St. David's Medical Center", "ST. DAVID'S MEDICAL CENTER", "St. David’s", "St David's Hospital"]
    names = {
        one("HOSPITAL", f).lower().replace("’", "'").split("st")[1].strip(". ").split("'")[0] for f in forms
    }
    assert len(names) == 1
    assert one("HOSPITAL", "Larrabee Clinic").split()[0] == one("HOSPITAL", "Larrabee").split()[0]


@pytest.mark.parametrize(
    ("value", "kept"),
    [("MGH", "H"), ("UCI Medical Center", " Medical Center"), ("BIDMC", "C"), ("KGH Clinic", " Clinic")],
)
def test_an_acronym_becomes_another(value, kept):
    new = one("HOSPITAL", value)
    assert new.endswith(kept)
    assert new.split()[0].isupper()
    assert len(new) == len(value)
    assert new != value


def test_house_and_unit_numbers_keep_their_length():
    new = one("STREET", "9011 Bolsa Ave #204")
    number, *_, unit = new.split()
    assert len(number) == 4
    assert len(unit) == 4
    assert number != "9011"
    assert unit != "#204"
    assert one("STREET", "5th Street").split()[0][-2:] in ("st", "nd", "rd", "th")


@pytest.mark.parametrize(
    ("value", "check"), [("Bemidji", str.istitle), ("BEMIDJI", str.isupper), ("bemidji", str.islower)]
)
def test_a_city_keeps_its_case(value, check):
    assert check(one("CITY", value))
    assert one("CITY", value).lower() == one("CITY", "Bemidji").lower()


@pytest.mark.parametrize("value", ["Saigon", "Oslo", "Tel Aviv", "Guadalajara", "Lagos"])
def test_a_city_abroad_lies_in_the_same_region(value):
    line = next(
        line for line in pools.lines("world_cities") if value.lower().replace(" ", "-") in line.split()
    )
    for n in range(10):
        new = one("CITY", value, f"p-{n}")
        assert new != value
        assert new.lower().replace(" ", "-") in line.split()


def test_states_and_countries_stay():
    assert one("STATE", "TX") == "TX"
    assert one("COUNTRY", "Vietnam") == "Vietnam"


def test_a_health_plan_is_a_made_up_one():
    new = one("HEALTHPLAN", "Humana")
    assert new != "Humana"
    assert not any(c.isdigit() for c in new)


def test_no_place_is_one_of_the_patients_own():
    values = [("CITY", c) for c in ("Springfield", "Davenport", "Tempe", "Roseville")]
    for n in range(50):
        s = Surrogates(SECRET, f"p-{n}", None, values)
        new = {s.replace("CITY", v) for _, v in values}
        assert len(new) == 4
        assert not new & {v for _, v in values}


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ("electrician", "trade"),
        ("retired machinist", "trade"),
        ("dairy farmer", "farm"),
        ("accountant", "office"),
        ("third-grade teacher", "teaching"),
        ("pediatric nurse", "health"),
        ("tugboat pilot", "transport"),
    ],
)
def test_an_occupation_becomes_one_of_its_kind(value, line):
    jobs = next(
        j for heads, _, j in (x.partition(":") for x in pools.lines("professions")) if heads.startswith(line)
    )
    new = {one("PROFESSION", value, f"p-{n}") for n in range(20)}
    assert value not in new
    assert {n.replace(" ", "-").lower() for n in new} <= {j.lower() for j in jobs.split()}


@pytest.mark.parametrize(
    "value", ["accountant", "engineer", "attorney", "teacher", "Welder", "PLUMBER", "nurses"]
)
def test_an_occupation_fits_the_article_the_number_and_the_case(value):
    for n in range(20):
        new = one("PROFESSION", value, f"p-{n}")
        assert (new[0].lower() in "aeiou") == (value[0].lower() in "aeiou")
        assert new.endswith("s") == value.endswith("s")
        assert new.isupper() == value.isupper()
        assert new[0].isupper() == value[0].isupper()
