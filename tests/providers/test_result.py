"""A model at a provider is evaluated, registered and made champion like any other, and asked only what was approved."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from preceptor.errors import UsageError
from preceptor.evaluation.stage import evaluate_newest, tuned
from preceptor.models import resolve
from preceptor.providers.answers import AnswersOf
from preceptor.providers.policy import PolicyRefused
from preceptor.providers.stage import prepare
from preceptor.release.card import card_of
from preceptor.release.lineage import backward, version_roots
from preceptor.release.registry import CHAMPION, bundle_of, set_alias, tracking_of
from preceptor.release.stage import champion_model, submit_newest
from preceptor.release.store import open_store
from preceptor.vault import open_vault
from preceptor.versions import newest

from .conftest import MARK, make_data, make_settings, train

CHAT = "POST chat/completions"


@pytest.fixture
def trained(approved, settings):
    train(approved, settings)
    prepare(approved, settings, "", lambda: "").collect()
    return approved


def test_it_is_evaluated_registered_and_comes_back_as_champion(trained, settings, stand_in):
    base = resolve(settings.base_model, trained)
    version = evaluate_newest(trained, settings, base, None)
    report = json.loads((version.path / "report.json").read_text())
    arm = report["arms"]["finetuned"]
    assert report["n_cases"] == 4 and stand_in.count(CHAT) == 4
    assert arm["speed"]["seconds"] > 0 and arm["answers"]["cut_at_limit"] == 4
    spent = (arm["speed"]["prompt_tokens"] * 0.3 + arm["speed"]["new_tokens"] * 1.2) / 1e6
    assert arm["cost"] == pytest.approx(spent, abs=1e-6) and "cost" not in report["arms"]["base"]
    assert any("answered over the network" in note for note in report["notes"])

    again = evaluate_newest(
        trained,
        settings.model_copy(update={"evaluation": settings.evaluation.model_copy(update={"seed": 21})}),
        base,
        None,
    )
    assert again.name != version.name and stand_in.count(CHAT) == 4, "answers are paid for once"

    tracking = tracking_of(trained)
    trained.mlflow.mkdir()
    with closing(open_store(trained)) as store:
        info = submit_newest(trained, settings, tracking, store, "test").info
        bundle = bundle_of(tracking, info)
        assert bundle["base_model"]["name"] == "ours:gpt-4o-mini-2024-07-18"
        assert "Base model" in card_of(tracking, store, info.ref, 1)
    assert info.data == {stage: newest(root, stage).name for stage, root in (
        ("curated", trained.data), ("synthetic", trained.data), ("model", trained.models))}  # fmt: skip
    assert len(backward(tracking, version_roots(trained), info.ref)["documents"]) == 18
    set_alias(tracking, info.name, CHAMPION, info.version)
    champion = champion_model(tracking, trained, settings)
    assert champion is not None and champion.base.digest == base.digest
    answers = AnswersOf(trained, settings, newest(trained.data, "curated").name)
    arm_model = tuned("champion", champion.path, champion.base, info.digest, answers)
    assert arm_model.remote is not None and arm_model.path == base.path
    arm_model.remote.answer([{"role": "user", "content": "Summarise."}], 4)
    with closing(open_vault(trained)) as vault:
        sent = [e for e in vault.audit.entries() if e.action == "sent" and "evaluation" in e.purpose]
    assert len(sent) == 2 and all(entry.details["approval"] for entry in sent)
    kept = [p for p in (trained.home / "mlflow").rglob("*") if p.is_file()]
    assert not any(MARK.encode() in path.read_bytes() for path in kept)


def folder_of(trained):
    return newest(trained.models, "model").path


def test_test_cases_that_nobody_approved_are_not_asked(trained, settings, stand_in):
    make_data(trained, train=12, config=2)
    other = newest(trained.data, "curated").name
    for curated in (other, None):
        with pytest.raises(PolicyRefused, match="cases-not-approved"):
            AnswersOf(trained, settings, curated)(folder_of(trained))
    assert stand_in.count(CHAT) == 0


@pytest.mark.parametrize(
    ("changes", "rule"), [({"zone": "green"}, "zone-not-allowed"), ({"baa": None}, "baa-missing")]
)
def test_the_terms_hold_for_test_cases_too(trained, stand_in, changes, rule):
    curated = newest(trained.data, "curated").name
    with pytest.raises(PolicyRefused, match=rule):
        AnswersOf(trained, make_settings(stand_in.port, **changes), curated)(folder_of(trained))


def test_a_model_is_asked_where_it_is_and_under_azure_where_it_is_deployed(trained, stand_in):
    curated, port = newest(trained.data, "curated").name, stand_in.port
    with pytest.raises(UsageError, match="provider-moved"):
        AnswersOf(trained, make_settings(port, base_url="https://api.example.org/v1"), curated)(
            folder_of(trained)
        )
    azure = {"api": "azure", "api_version": "2024-10-21"}
    with pytest.raises(UsageError, match="not-deployed"):
        AnswersOf(trained, make_settings(port, **azure), curated)(folder_of(trained))
    with pytest.raises(UsageError, match="provider-unknown"):
        AnswersOf(trained, make_settings(port).model_copy(update={"providers": {}}), curated)(
            folder_of(trained)
        )
