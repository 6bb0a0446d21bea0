"""Within the plan or not: cases worked out by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preceptor.papers.change_plan import OUTSIDE, UNPLANNED, WITHIN, changes, verifications, within
from preceptor.settings import ChangePlanSettings

from .conftest import GATE, bundle

RATE = "recipe.recipe.optimizer.learning_rate"


def plan(**modifications):
    return ChangePlanSettings(reference="QMS-1", modifications=modifications)


def tuned(rate):
    return bundle(
        recipe={
            "recipe": {"optimizer": {"learning_rate": rate}, "seed": 20, "sampling": {"population": False}}
        }
    )


TUNING = {
    "changes": ["recipe.*"],
    "allowed": {RATE: {"min": 1e-4, "max": 1e-3}},
    "verification": ["gain-over-base"],
}


def test_what_changed_is_named_by_kind_and_results_are_no_change():
    after = bundle(
        data=bundle()["data"] | {"curated": "new", "model": "other"},
        gate=GATE | {"passed": True, "policy": "p"},
    )
    found = changes(bundle(), after | {"evaluation": {"version": "another"}}, None)
    assert [(c.kind, c.key, c.finding) for c in found] == [
        ("Data", "data.curated", None),
        ("Gate policy", "gate.policy", None),
    ]


@pytest.mark.parametrize(
    ("rate", "finding"), [(5e-4, WITHIN), (1e-3, WITHIN), (2e-3, OUTSIDE), ("fast", OUTSIDE)]
)
def test_a_planned_value_must_lie_in_its_range(rate, finding):
    (change,) = changes(bundle(), tuned(rate), plan(tuning=TUNING))
    assert (change.key, change.modifications, change.finding) == (RATE, ("tuning",), finding)


def test_what_no_modification_names_is_not_planned():
    other = bundle(base_model={"name": "another", "digest": "00"})
    assert {c.finding for c in changes(bundle(), other, plan(tuning=TUNING))} == {UNPLANNED}


def test_a_value_that_went_away_is_outside_its_range():
    gone = bundle(recipe={"recipe": {"seed": 20, "sampling": {"population": False}}})
    (change,) = changes(bundle(), gone, plan(tuning=TUNING))
    assert (change.after, change.finding) == ("–", OUTSIDE)


def test_only_the_modifications_that_were_made_want_verification():
    given_plan = plan(tuning=TUNING, data={"changes": ["data.*"], "verification": ["cases"]})
    found = changes(bundle(), tuned(5e-4), given_plan)
    assert [(v.rule, v.met) for v in verifications(found, given_plan, GATE)] == [("gain-over-base", True)]
    assert within(found, verifications(found, given_plan, GATE), given_plan) is True


@pytest.mark.parametrize(("rule", "met"), [("limit:*", False), ("loss-to-champion", None), ("cases", True)])
def test_a_rule_that_failed_or_that_nothing_measured_is_not_within_the_plan(rule, met):
    given_plan = plan(tuning=TUNING | {"verification": [rule]})
    found = changes(bundle(), tuned(5e-4), given_plan)
    verified = verifications(found, given_plan, GATE)
    assert [v.met for v in verified] == [met]
    assert within(found, verified, given_plan) is (met is True)


def test_without_a_plan_nothing_is_said_of_one():
    assert within(changes(bundle(), tuned(1.0), None), [], None) is None


@given(st.floats(0, 1, allow_nan=False), st.floats(0, 1, allow_nan=False))
def test_a_change_is_seen_exactly_where_the_value_differs(one, other):
    found = changes(tuned(one), tuned(other), plan(tuning=TUNING))
    assert bool(found) == (one != other)
    for change in found:
        assert change.before != change.after
        assert (change.finding == WITHIN) == (1e-4 <= other <= 1e-3)
