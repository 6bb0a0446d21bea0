"""Stand-ins that sometimes change, so that a name which detection missed is not the odd one out."""

from __future__ import annotations

import itertools

import pytest

from preceptor.deid.surrogates import Surrogates
from preceptor.records import PatientRecord
from preceptor.settings import DeidSettings

SECRET = bytes(range(32))
RECORD = PatientRecord.from_mapping(
    {"name": "William Hathaway", "sex": "M", "relatives": ["Eleanor Hathaway"]}
)


def mentions(n, redraw, kind="PATIENT", value="Hathaway", patient="p-1"):
    s = Surrogates(SECRET, patient, RECORD, [(kind, value)], redraw=redraw)
    return [s.replace(kind, value) for _ in range(n)]


def changes(said):
    return sum(a != b for a, b in itertools.pairwise(said))


@pytest.mark.parametrize("redraw", [0.05, 0.1, 0.3])
@pytest.mark.parametrize(
    ("kind", "value"), [("PATIENT", "Hathaway"), ("CITY", "Bemidji"), ("MRN", "QZ-778812")]
)
def test_a_stand_in_changes_at_the_rate_that_is_set(redraw, kind, value):
    n = 2000
    rate = changes(mentions(n, redraw, kind, value)) / n
    four_sigma = 4 * (redraw * (1 - redraw) / n) ** 0.5
    assert abs(rate - redraw) < four_sigma


def test_without_it_nothing_changes():
    assert changes(mentions(300, 0.0)) == 0


def test_it_always_changes_at_1_and_never_into_the_name_itself():
    said = mentions(300, 1.0)
    assert changes(said) >= 295  # the pool is finite: by chance the same name may follow itself
    assert "Hathaway" not in said


def test_a_stand_in_stays_until_the_next_change():
    said = mentions(400, 0.1)
    runs = [len(list(run)) for _, run in itertools.groupby(said)]
    assert 6 < sum(runs) / len(runs) < 16


def test_between_two_changes_a_family_agrees():
    s = Surrogates(SECRET, "p-1", RECORD, [], redraw=0.2)
    told = [
        s.replace("PATIENT", form) for form in ["William Hathaway", "Mr. Hathaway", "Eleanor Hathaway"] * 60
    ]
    lasts = [t.split()[-1] for t in told]
    assert 15 < changes(lasts) < 60
    firsts = {}
    for t, last in zip(told[::3], lasts[::3], strict=True):
        firsts.setdefault(last, set()).add(t.split()[0])
    assert sum(len(f) == 1 for f in firsts.values()) > 0.8 * len(firsts)


def test_the_same_key_gives_the_same_walk():
    assert mentions(200, 0.2) == mentions(200, 0.2)
    assert mentions(200, 0.2) != mentions(200, 0.2, patient="p-2")


def test_dates_and_ages_never_change():
    s = Surrogates(SECRET, "p-1", RECORD, [], redraw=1.0)
    assert len({s.replace("DATE", "03/14/2024") for _ in range(20)}) == 1
    assert {s.replace("AGE", "67") for _ in range(5)} == {"67"}


def test_the_settings_switch_it_on():
    still = Surrogates.of(DeidSettings(redraw=1.0), SECRET, "p-1", RECORD, [])
    assert len({still.replace("PATIENT", "Hathaway") for _ in range(10)}) == 1
    moving = Surrogates.of(DeidSettings(surrogates="markov", redraw=1.0), SECRET, "p-1", RECORD, [])
    assert len({moving.replace("PATIENT", "Hathaway") for _ in range(10)}) > 5
