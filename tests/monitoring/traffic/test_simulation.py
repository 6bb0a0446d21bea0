"""A small part of benchmarks/monitoring.py: quiet weeks stay quiet, and what changes is found."""

from __future__ import annotations

import pytest

from preceptor.monitoring.alarms import RAISED, AlarmStore
from preceptor.monitoring.judging import judge
from preceptor.monitoring.references import References
from preceptor.monitoring.rules import TrafficSettings
from preceptor.monitoring.simulation import Simulation, Truth, shifted
from preceptor.monitoring.windows import SERVICE, MemoryLog, Subject
from tests.monitoring.traffic.conftest import CHAMPION, MONDAY

USUAL = Truth(volume=80)


def raised(folder, days) -> dict[str, str]:
    """Measure -> the last day of the window that first raised it."""
    log, settings = MemoryLog(days), TrafficSettings()
    store = AlarmStore(folder)
    with store.transaction():
        judge(
            store,
            log,
            References(log, settings, CHAMPION),
            [SERVICE, Subject("served", CHAMPION)],
            settings,
            days[-1].date,
        )
    found = {e.measure: e.facts["last"] for e in reversed(store.history()) if e.kind == RAISED}
    store.close()
    return found


def test_seven_quiet_weeks_raise_nothing(tmp_path, quiet_days):
    assert raised(tmp_path, quiet_days) == {}


@pytest.mark.parametrize(
    ("changes", "measure", "within"),
    [
        ({"errors": 0.15}, "errors", 5),
        ({"kept": 0.5}, "kept", 9),
        ({"other_cases": 0.5}, "specialty", 5),
        ({"seconds": 9.0}, "slow", 5),
        ({"longer_answers": 0.8}, "answer_length", 5),
        ({"volume": 300.0}, "volume", 14),
    ],
)
def test_a_change_is_found_within_days(tmp_path, quiet_days, changes, measure, within):
    before = [day for day in quiet_days if (day.date - MONDAY).days < 28]
    made = Simulation(29, quiet_days[28].date)
    after = list(made.days(shifted(USUAL, **changes), 14))
    found = raised(tmp_path, [*before, *after])
    assert measure in found
    days = sum(1 for day in after if day.date.isoformat() <= found[measure])
    assert 0 < days <= within


def test_the_same_seed_makes_the_same_days():
    one, two = (list(Simulation(3, MONDAY).days(USUAL, 2)) for _ in range(2))
    assert [d.requests for d in one] == [d.requests for d in two]
    assert [d.words for d in one] == [d.words for d in two]
