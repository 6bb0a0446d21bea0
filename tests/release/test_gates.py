from __future__ import annotations

import pytest
from pydantic import ValidationError

from preceptor.errors import UsageError
from preceptor.release.gates import decide
from preceptor.release.policy import in_force, policy_digest
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


def with_probe(**numbers) -> dict:
    """A report of a good model whose probes found these numbers: `fairness__worst_group_gap=0.2`."""
    probes: dict = {}
    for name, value in numbers.items():
        probe, _, number = name.partition("__")
        probes.setdefault(probe, {"gate": {}})["gate"][number] = value
    return report() | {"probes": probes}


HOSPITAL = in_force(GateSettings(policy="recipes/gates/hospital.yaml", min_cases=10, regression="if_given"))
GOOD = {
    "memorisation__leaks": 0,
    "memorisation__leaks_shown": 0,
    "memorisation__extracted_share": 0.0,
    "memorisation__membership_auc_low": 0.47,
    "clinical_facts__hallucination_rate": 0.02,
    "fairness__worst_group_gap": 0.01,
    "fairness__counterfactual_gap": 0.0,
    "robustness__worst_drop": 0.02,
    "safety__injection_followed": 0.0,
    "safety__abstained_when_unanswerable": 0.9,
}


@pytest.mark.parametrize(
    ("worse", "rule"),
    [
        ({"memorisation__leaks": 1}, "memorisation.leaks"),
        ({"memorisation__extracted_share": 0.01}, "memorisation.extracted_share"),
        ({"memorisation__membership_auc_low": 0.61}, "memorisation.membership_auc_low"),
        ({"fairness__worst_group_gap": 0.06}, "fairness.worst_group_gap"),
        ({"clinical_facts__hallucination_rate": 0.051}, "clinical_facts.hallucination_rate"),
        ({"fairness__worst_group_gap": float("nan")}, "fairness.worst_group_gap"),
        ({"fairness__counterfactual_gap": 0.06}, "fairness.counterfactual_gap"),
        ({"robustness__worst_drop": 0.11}, "robustness.worst_drop"),
        ({"safety__injection_followed": 0.04}, "safety.injection_followed"),
        ({"safety__abstained_when_unanswerable": 0.79}, "safety.abstained_when_unanswerable"),
        ({"memorisation__leaks": None}, "memorisation.leaks"),
    ],
)
def test_a_leak_a_worse_group_and_inventions_are_stopped(worse, rule):
    assert failed(decide(with_probe(**GOOD), HOSPITAL)) == []
    assert failed(decide(with_probe(**GOOD | worse), HOSPITAL)) == [f"limit:{rule}"]


def test_what_was_not_looked_at_fails_where_it_is_required_only():
    assert len(failed(decide(report(), HOSPITAL))) == 10
    standard = in_force(GateSettings())
    assert failed(decide(report(), standard)) == []
    assert failed(decide(with_probe(memorisation__leaks=2), standard)) == ["limit:memorisation.leaks"]


def test_every_limit_that_ships_is_on_a_probe_that_there_is():
    from preceptor.evaluation.probes import PROBES

    assert {name.split(".")[0] for name in HOSPITAL.limits} <= set(PROBES)


def test_a_gain_over_the_champion_can_be_asked_for():
    asked = SETTINGS.model_copy(update={"min_gain_over_champion": 0.0})
    assert failed(decide(report(champion=0.0), asked, champion="m/1")) == ["gain-over-champion"]
    assert failed(decide(report(champion=0.001), asked, champion="m/1")) == []
    assert failed(decide(report(), asked)) == []  # there is none yet


def test_a_use_case_has_rules_of_its_own():
    given = report(tasks={"summary": 0.1})
    given["comparisons"]["finetuned_vs_base"]["per_task_intervals"] = {"summary": [0.02, 0.18]}
    given["arms"] = {"finetuned": {"tasks": {"summary": {"metrics": {"number_faithfulness": {"mean": 0.8}}}}}}
    given["cases_by_task"] = {"summary": 20}

    def under(**rules):
        return failed(decide(given, GateSettings(use_cases={"summary": rules})))

    assert under(min_cases=20, min_gain_over_base=0.01, limits={"number_faithfulness": {"min": 0.8}}) == []
    assert under(min_cases=21) == ["cases:summary"]
    assert under(min_gain_over_base=0.02) == ["gain-over-base:summary"]
    assert under(limits={"number_faithfulness": {"min": 0.81}}) == ["limit:number_faithfulness:summary"]
    assert under(limits={"unheard_of": {"min": 0.1}}) == ["limit:unheard_of:summary"]
    assert failed(decide(given, GateSettings(use_cases={"differential": {"min_cases": 1}}))) == [
        "cases:differential"
    ]


def test_the_regression_set_must_pass_where_there_is_one():
    given = report() | {"settings": {"regression_set": "must-stay.jsonl"}}
    assert failed(decide(given, SETTINGS)) == ["regression"]  # it was not measured
    given["probes"] = {"regression": {"gate": {"failed": 0}, "failed": []}}
    assert failed(decide(given, SETTINGS)) == []
    given["probes"] = {"regression": {"gate": {"failed": 1}, "failed": ["case-00007"]}}
    decision = decide(given, SETTINGS)
    assert failed(decision) == ["regression"] and "case-00007" in decision.reasons[-1].text
    assert failed(decide(report(), GateSettings(regression="required"))) == ["regression"]


def test_the_settings_win_over_the_policy_file_and_null_lifts_a_limit(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text("min_cases: 50\nlimits:\n  a.x: {max: 1}\n  a.y: {max: 2}\n")
    found = in_force(GateSettings(policy=str(path), limits={"a.x": None, "a.y": {"max": 3}}))
    assert found.min_cases == 50 and set(found.limits) == {"a.y"} and found.limits["a.y"].max == 3
    path.write_text("min_cases: 50\nminimum: 3\n")
    with pytest.raises(UsageError, match=r"policy.yaml, line 2: minimum: unknown key"):
        in_force(GateSettings(policy=str(path)))
    with pytest.raises(ValidationError, match="min, max or both"):
        GateSettings(limits={"a.x": {}})


def test_the_digest_is_of_the_thresholds_wherever_they_stand(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text("min_cases: 50\n")
    assert policy_digest(GateSettings(policy=str(path))) == policy_digest(
        GateSettings(policy="", min_cases=50)
    )
    assert policy_digest(GateSettings(policy=str(path))) != policy_digest(
        GateSettings(policy="", min_cases=51)
    )
    asked = GateSettings(policy=str(path))
    assert decide(report(), in_force(asked)).policy == policy_digest(asked)
