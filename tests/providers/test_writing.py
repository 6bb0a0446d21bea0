"""A provider's model writes synthetic examples only once a privacy officer has signed exactly that."""

from __future__ import annotations

import json
from contextlib import closing

import pytest
from pydantic import ValidationError

from preceptor.providers import policy
from preceptor.providers.policy import PolicyRefused
from preceptor.providers.writing import WHY, Writer, plan
from preceptor.release.store import open_store
from preceptor.settings import SynthesisSettings
from preceptor.synthesis.stage import synthesize
from preceptor.tables import DOCUMENTS, EXAMPLES, read_examples, write_documents
from preceptor.vault import open_vault
from preceptor.versions import MANIFEST, newest

from .conftest import KEY_ENV, MARK, PASSWORD, make_data, make_settings, sign

CHAT = "POST chat/completions"


@pytest.fixture
def writing(settings, workspace):
    """Settings that have the provider write, in a home with the version that its curated data name as source."""
    folder = workspace.data / "deid" / "batch-1"
    folder.mkdir(parents=True)
    write_documents(folder / DOCUMENTS, [])
    (folder / MANIFEST).write_text(json.dumps({"stage": "deid"}))
    return settings.model_copy(update={"synthesis": wanted()})


def wanted(**more):
    return SynthesisSettings(
        **{"generator": "provider", "provider": "ours", "candidates": 3, "judge": False} | more
    )


def curated(workspace):
    return newest(workspace.data, "curated")


def approve(workspace, settings, as_user="pia"):
    with closing(open_store(workspace)) as store:
        writing = plan(settings, curated(workspace))
        return policy.approve(store, writing, as_user=as_user, password=PASSWORD, reason="reviewed")


def make(workspace, settings):
    def writer():
        return Writer(workspace, settings, curated(workspace))

    return synthesize(
        workspace.data,
        curated(workspace),
        settings.synthesis,
        settings.curation,
        lambda: pytest.fail("no base model is needed"),
        provider=writer,
    )


def entries(workspace, action):
    with closing(open_vault(workspace)) as vault:
        return [e for e in vault.audit.entries() if e.action == action]


def test_what_was_approved_is_sent_noted_first_and_marked_in_its_rows(workspace, writing, stand_in):
    event = approve(workspace, writing)
    assert MARK not in event.payload_text
    version = make(workspace, writing)
    assert stand_in.count(CHAT) == 3 and version.facts["candidates"] == 3
    (sent,) = entries(workspace, "sent")
    assert sent.purpose == WHY and sent.details["approval"] == event.id
    assert (
        version.facts["generator"]
        == f"provider:ours:{writing.providers['ours'].base_url}:gpt-4o-mini-2024-07-18"
    )
    assert all(row.provenance == "synthetic" for row in read_examples(version.path / EXAMPLES))
    assert make(workspace, writing).name == version.name and stand_in.count(CHAT) == 3


@pytest.mark.parametrize(
    ("before", "change"),
    [
        (approve, {"synthesis": {"candidates": 4}}),
        (approve, {"synthesis": {"max_new_tokens": 161}}),
        (approve, {"provider": {"model": "gpt-4o-2024-08-06"}}),
        (approve, {"data": True}),
        (sign, {}),  # to train there is another matter
        (None, {}),
    ],
    ids=["candidates", "length", "model", "data", "training only", "nothing"],
)
def test_an_approval_is_for_exactly_what_was_signed(workspace, writing, stand_in, before, change):
    if before:
        before(workspace, writing)
    other = make_settings(stand_in.port, **change.get("provider", {}))
    other = other.model_copy(update={"synthesis": wanted(**change["synthesis"])} if "synthesis" in change else {
        "synthesis": writing.synthesis
    })  # fmt: skip
    if "data" in change:
        make_data(workspace, train=12, config=2)
    with pytest.raises(PolicyRefused) as refused:
        make(workspace, other)
    assert refused.value.rule == "writing-not-approved" and stand_in.requests == []
    assert [e.details for e in entries(workspace, "refused")] == [
        {"rule": "writing-not-approved", "provider": "ours"}
    ]


def test_the_terms_of_the_agreement_hold_for_writing_too(workspace, writing, stand_in):
    approve(workspace, writing)
    without = make_settings(stand_in.port, baa=None).model_copy(update={"synthesis": writing.synthesis})
    with pytest.raises(PolicyRefused, match="baa-missing"):
        make(workspace, without)
    assert stand_in.requests == []


def test_an_approval_to_write_lets_nothing_be_trained_or_evaluated_there(workspace, writing):
    approve(workspace, writing)
    with closing(open_store(workspace)) as store:
        assert policy.approvals(store, "ours") == []
        with pytest.raises(PolicyRefused, match="cases-not-approved"):
            policy.permit_answers(store, "ours", writing.providers["ours"], curated(workspace).name)


def test_without_the_key_nothing_is_noted_as_sent(workspace, writing, stand_in, monkeypatch):
    approve(workspace, writing)
    monkeypatch.delenv(KEY_ENV)
    with pytest.raises(Exception, match="key-missing"):
        make(workspace, writing)
    assert entries(workspace, "sent") == [] and stand_in.requests == []


def test_a_generator_and_its_provider_go_together():
    for wrong in ({"generator": "provider"}, {"provider": "ours"}):
        with pytest.raises(ValidationError, match="go together"):
            SynthesisSettings(**wrong)
