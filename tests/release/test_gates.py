from __future__ import annotations

import pytest

from preceptor.release.gates import decide
from preceptor.settings import GateSettings

SETTINGS = GateSettings(
    min_cases=10, min_gain_over_base=0.0, max_loss_to_champion=0.02, max_task_loss_to_base=0.05
)


def report(cases=20, low=0.01, tasks=None, champion=None) -> dict:
    comparisons = {
        "finetuned_vs_base": {
            "difference": 0.1,
            "low": low,
            "high": 0.2,
            "per_task": {"summary": 0.1} if tasks is None else tasks,
        }
    }
    if champion is not None:
        comparisons["finetuned_vs_champion"] = {
            "difference": 0.0,
            "low": champion,
            "high": 0.1,
            "per_task": {},
        }
    return {"n_cases": cases, "comparisons": comparisons}


def failed(decision) -> list[str]:
    assert decision.passed == all(reason.passed for reason in decision.reasons)
    return [reason.rule for reason in decision.reasons if not reason.passed]


@pytest.mark.parametrize(
    ("given", "refusing"),
    [
        (report(), []),
        (report(cases=10), []),
        (report(cases=9), ["cases"]),
        (report(low=0.0), ["gain-over-base"]),  # an interval that touches zero shows no gain
        (report(low=-0.1), ["gain-over-base"]),
        (report(tasks={"summary": -0.05, "bh_note": 0.3}), []),
        (report(tasks={"summary": -0.06, "bh_note": 0.3}), ["task-loss:summary"]),
        (report(tasks={}), ["task-loss"]),
        (report(low=float("nan")), ["gain-over-base"]),
        (report(low=None), ["gain-over-base"]),
        (report(low="0.4"), ["gain-over-base"]),
        (report(cases=True), ["cases"]),
        ({}, ["cases", "gain-over-base", "task-loss"]),
    ],
)
def test_each_rule_refuses_at_its_edge(given, refusing):
    assert failed(decide(given, SETTINGS)) == refusing


@pytest.mark.parametrize(
    ("low", "refusing"), [(-0.02, []), (-0.021, ["loss-to-champion"]), (None, ["loss-to-champion"])]
)
def test_a_present_champion_must_be_compared_with(low, refusing):
    assert failed(decide(report(champion=low), SETTINGS, champion="m/1")) == refusing


def test_a_reason_says_what_was_measured_and_what_is_required():
    refused = next(r for r in decide(report(cases=4), SETTINGS).reasons if r.rule == "cases")
    assert (refused.measured, refused.required) == (4.0, 10)
    assert refused.text == "4 test cases, at least 10 needed"
