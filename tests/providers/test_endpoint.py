"""A provider's own model answers the test cases as an arm, once a privacy officer has signed exactly that."""

from __future__ import annotations

import json
from contextlib import closing

import pytest
from pydantic import ValidationError

from preceptor.evaluation.stage import evaluate_newest
from preceptor.models import resolve
from preceptor.providers import policy
from preceptor.providers.answers import endpoint_model, plan
from preceptor.providers.policy import PolicyRefused
from preceptor.providers.stage import prepare
from preceptor.release.store import open_store
from preceptor.settings import EvaluationSettings
from preceptor.tables import EXAMPLES, read_examples
from preceptor.vault import open_vault
from preceptor.versions import newest

from .conftest import MARK, PASSWORD, make_data, make_settings, sign, train

CHAT = "POST chat/completions"
ARMS = ("base", "finetuned", "endpoint")


def with_endpoint(settings, **changes):
    evaluation = settings.evaluation.model_copy(update={"arms": ARMS, "endpoint": "ours", **changes})
    return settings.model_copy(update={"evaluation": evaluation})


def curated(workspace):
    return newest(workspace.data, "curated")


def approve(workspace, settings, as_user="pia"):
    with closing(open_store(workspace)) as store:
        asked = plan(with_endpoint(settings), curated(workspace))
        return policy.approve(store, asked, as_user=as_user, password=PASSWORD, reason="reviewed")


def ask(workspace, settings):
    base = resolve(settings.base_model, workspace)
    return endpoint_model(workspace, settings, base, curated(workspace))


def entries(workspace, action):
    with closing(open_vault(workspace)) as vault:
        return [e for e in vault.audit.entries() if e.action == action]


def test_it_is_an_arm_that_the_fine_tuned_model_is_compared_with(approved, settings, stand_in):
    train(approved, settings)
    prepare(approved, settings, "", lambda: "").collect()
    event = approve(approved, settings)
    assert MARK not in event.payload_text and event.payload["cases"] == 4
    version = evaluate_newest(approved, with_endpoint(settings), resolve(settings.base_model, approved), None)
    report = json.loads((version.path / "report.json").read_text())
    assert report["models"]["endpoint"]["name"] == "gpt-4o-mini-2024-07-18 at ours"
    arm = report["arms"]["endpoint"]
    # By the list's price of gpt-4o-mini as it is, not of a tuned one.
    spent = (arm["speed"]["prompt_tokens"] * 0.15 + arm["speed"]["new_tokens"] * 0.6) / 1e6
    assert arm["cost"] == pytest.approx(spent, abs=1e-6) and "finetuned_vs_endpoint" in report["comparisons"]
    assert stand_in.count(CHAT) == 8, (
        "each of both models four cases, and what probes make of cases not at all"
    )
    sent = [e for e in entries(approved, "sent") if e.details["approval"] == event.id]
    test_cases = [e for e in read_examples(curated(approved).path / EXAMPLES) if e.split == "test"]
    assert set(sent[0].refs) == {ref for case in test_cases for ref in case.document_refs}


@pytest.mark.parametrize(
    ("before", "change"),
    [
        (approve, {"evaluation": {"max_cases": 3}}),
        (approve, {"evaluation": {"max_new_tokens": 5}}),
        (approve, {"provider": {"model": "gpt-4o-2024-08-06"}}),
        (approve, {"data": True}),
        (sign, {}),  # what is signed there is the model to be trained
        (None, {}),
    ],
    ids=["cases", "length", "model", "data", "training only", "nothing"],
)
def test_an_approval_is_for_exactly_what_was_signed(workspace, settings, stand_in, before, change):
    if before:
        before(workspace, settings)
    other = with_endpoint(
        make_settings(stand_in.port, **change.get("provider", {})), **change.get("evaluation", {})
    )
    if "data" in change:
        make_data(workspace, train=12, config=2)
    with pytest.raises(PolicyRefused) as refused:
        ask(workspace, other)
    assert refused.value.rule == "answering-not-approved" and stand_in.requests == []
    assert [e.details["rule"] for e in entries(workspace, "refused")] == ["answering-not-approved"]


def test_the_terms_hold_and_cases_of_a_file_are_never_sent(workspace, settings, stand_in):
    approve(workspace, settings)
    with pytest.raises(PolicyRefused, match="baa-missing"):
        ask(workspace, with_endpoint(make_settings(stand_in.port, baa=None)))
    base = resolve(settings.base_model, workspace)
    with pytest.raises(PolicyRefused, match="cases-not-approved"):
        endpoint_model(workspace, with_endpoint(settings), base, None)
    assert stand_in.requests == []


@pytest.mark.parametrize("given", [{"endpoint": "ours"}, {"arms": ("base", "endpoint")}])
def test_arm_and_endpoint_go_together(given):
    with pytest.raises(ValidationError, match="go together"):
        EvaluationSettings(**given)
