from __future__ import annotations

import pytest

from preceptor.curation.balance import groups_of
from preceptor.curation.weights import raked
from preceptor.records import DeidentifiedDocument, Labels
from preceptor.settings import GROUPS, CurationSettings


def shares(groups, weights, field):
    found = {}
    for mine, weight in zip(groups, weights, strict=True):
        found[mine[field]] = found.get(mine[field], 0.0) + weight
    return {group: total / sum(weights) for group, total in found.items()}


def people(**counts):
    return [
        dict(zip(("sex", "age band"), kind.split("_"), strict=True))
        for kind, n in counts.items()
        for _ in range(n)
    ]


def test_both_margins_come_to_the_population():
    groups = people(f_old=10, f_young=30, m_old=20, m_young=40)
    population = {"sex": {"f": 0.5, "m": 0.5}, "age band": {"old": 0.4, "young": 0.6}}
    weights = raked(groups, population)
    assert shares(groups, weights, "sex") == pytest.approx(population["sex"], abs=0.005)
    assert shares(groups, weights, "age band") == pytest.approx(population["age band"], abs=0.005)
    assert sum(weights) / len(weights) == pytest.approx(1, abs=1e-3)


def test_no_example_carries_more_than_three_and_a_missing_group_stays_missing():
    groups = people(f_old=1, m_old=99)
    weights = raked(groups, {"sex": {"f": 0.5, "m": 0.4, "x": 0.1}})
    assert max(weights) / min(weights) <= 9.01
    assert shares(groups, weights, "sex")["f"] < 0.1


def test_groups_that_the_population_does_not_name_keep_their_share():
    groups = people(f_old=20, m_old=60, unknown_old=20)
    found = shares(groups, raked(groups, {"sex": {"f": 0.5, "m": 0.5}}), "sex")
    assert found == pytest.approx({"f": 0.4, "m": 0.4, "unknown": 0.2}, abs=0.005)


def test_the_groups_of_the_settings_are_those_that_are_counted():
    document = DeidentifiedDocument("d", "p", "site-1", "note", "general", None, "text", "a text", Labels())
    assert sorted(groups_of(document)) == sorted(GROUPS)


@pytest.mark.parametrize(
    "population", [{"height": {"tall": 1.0}}, {"sex": {"f": 0.8, "m": 0.8}}, {"sex": {}}]
)
def test_a_population_that_cannot_be_is_refused(population):
    with pytest.raises(ValueError, match="name any of|shares"):
        CurationSettings(population=population)
