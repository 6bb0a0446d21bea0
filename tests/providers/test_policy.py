"""Nothing leaves unless everything holds: each rule refuses by itself, and the server hears nothing."""

from __future__ import annotations

from contextlib import closing
from datetime import date, timedelta

import pytest

from preceptor.errors import GateRefused, UsageError
from preceptor.providers import policy
from preceptor.providers.connection import Connection
from preceptor.providers.policy import PolicyRefused
from preceptor.providers.stage import plan, prepare
from preceptor.release import users
from preceptor.release.store import open_store
from preceptor.settings import ProviderSettings
from preceptor.vault import open_vault

from .conftest import KEY_ENV, PASSWORD, make_data, make_settings, provider_settings, sign, told, train

BAA = provider_settings(1)["baa"]
YESTERDAY = (date.today() - timedelta(days=2)).isoformat()


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"baa": None}, "baa-missing"),
        ({"baa": BAA | {"expires": YESTERDAY}}, "baa-expired"),
        ({"baa": BAA | {"hosts": ["api.example.org"]}}, "baa-other-endpoint"),
        ({"baa": BAA | {"regions": ["elsewhere"]}}, "region-not-covered"),
        ({"zone": "green"}, "zone-not-allowed"),
        ({"base_url": "http://api.example.org/v1"}, "endpoint-not-encrypted"),
        ({}, "not-approved"),
    ],
)
def test_each_rule_refuses_and_the_refusal_is_in_the_audit_log(workspace, stand_in, changes, rule):
    settings = make_settings(stand_in.port, **changes)
    with pytest.raises(PolicyRefused) as refused:
        prepare(workspace, settings, "", lambda: "")
    assert refused.value.rule == rule and f"(rule {rule})" in str(refused.value)
    assert refused.value.exit_code == 3
    with pytest.raises(PolicyRefused, match=rule):  # the process that sends asks again
        train(workspace, settings)
    assert stand_in.requests == []
    with closing(open_vault(workspace)) as vault:
        noted = [e.details for e in vault.audit.entries() if e.action == "refused"]
    assert noted == [{"rule": rule, "provider": "ours"}] * 2


def test_only_a_privacy_officer_with_the_right_password_approves(workspace, settings):
    with pytest.raises(GateRefused, match="only privacy may approve sending"):
        sign(workspace, settings, "ana")
    planned = plan(workspace, settings, "ours")
    with closing(open_store(workspace)) as store:
        with pytest.raises(users.NotAuthenticated):
            policy.approve(store, planned.sending, as_user="pia", password="wrong horse battery", reason="x")
        with pytest.raises(UsageError, match="reason"):
            policy.approve(store, planned.sending, as_user="pia", password=PASSWORD, reason=" ")
        assert policy.approvals(store, "ours") == []


@pytest.mark.parametrize(
    "change",
    [
        lambda w, s: make_data(w, train=12, config=2),
        lambda w, s: {"model": "gpt-4o-2024-08-06"},
        lambda w, s: {"epochs": 4},
        lambda w, s: {"price_list": ""},
    ],
    ids=["data", "model", "epochs", "cost"],
)
def test_an_approval_is_for_exactly_what_was_signed(workspace, settings, stand_in, change):
    sign(workspace, settings)
    changed = make_settings(stand_in.port, **(change(workspace, settings) or {}))
    with pytest.raises(PolicyRefused, match="not-approved"):
        train(workspace, changed)
    assert stand_in.requests == []


def test_an_approval_in_the_record_is_signed_and_intact(workspace, settings):
    event = sign(workspace, settings)
    with closing(open_store(workspace)) as store:
        assert store.verify() == []
        assert event.signature is not None
        assert event.payload["sent"] == plan(workspace, settings, "ours").sending.digest
        # An event of the same words that no privacy officer has signed is none.
        store.append("provider_approved", "provider/ours", "ana", event.payload)
        assert [problem.rule for problem in store.verify()] == ["signature"]


def test_a_file_that_was_not_approved_is_not_uploaded(workspace, settings, stand_in, tmp_path):
    (tmp_path / "other.jsonl").write_text("{}")
    with (
        Connection(settings.providers["ours"]) as connection,
        pytest.raises(PolicyRefused, match="file-not-approved"),
    ):
        connection.upload(
            policy.Permit(settings.providers["ours"].base_url, 1), tmp_path / "other.jsonl", "x"
        )
    assert stand_in.requests == []


def test_data_without_a_verdict_are_not_sent(workspace, settings, stand_in):
    sign(workspace, settings)
    given = told(workspace, settings)
    for verdict in (workspace.data / "verdicts").iterdir():
        verdict.unlink()
    from preceptor.providers.worker import run

    with pytest.raises(GateRefused, match="gate-not-run"):
        run(given)
    assert stand_in.requests == []


def test_a_home_without_the_key_is_told_the_name_of_the_variable(workspace, settings, stand_in, monkeypatch):
    sign(workspace, settings)
    monkeypatch.delenv(KEY_ENV)
    with pytest.raises(UsageError, match=rf"{KEY_ENV} is not set.*key-missing"):
        train(workspace, settings)
    assert stand_in.requests == []


@pytest.mark.parametrize(
    "address",
    ["ftp://x/v1", "https://", "https://me:secret@x/v1", "https://x/v1?key=secret", "https://x/v1#a"],
)
def test_an_address_is_plain(address):
    with pytest.raises(ValueError, match="an address"):
        ProviderSettings(**provider_settings(1) | {"base_url": address})


def test_azure_wants_an_api_version():
    with pytest.raises(ValueError, match="api_version"):
        ProviderSettings(**provider_settings(1) | {"api": "azure"})
