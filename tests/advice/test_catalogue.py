"""Every fact of the catalogue, of licences and of services has a source and a date."""

from __future__ import annotations

from datetime import date

import pytest
import yaml

from preceptor.errors import UsageError
from preceptor.models import load_apis, load_catalogue, load_licences
from preceptor.models.apis import APIS
from preceptor.planning import load_prices

CATALOGUE, LICENCES, APIS_TOLD, PRICES = load_catalogue(), load_licences(), load_apis(), load_prices()
TODAY = date(2026, 11, 29)


def dated(told):
    return bool(told.source.strip()) and told.as_of <= TODAY


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_model_says_where_its_facts_are_from(name):
    entry = CATALOGUE[name]
    assert entry.licence in LICENCES
    assert entry.card is not None and dated(entry.card)
    assert entry.context > 0 and entry.parameters > 0 and entry.gated is not None
    assert all(dated(score) for score in entry.scores)
    keys = [(score.benchmark, score.tuned) for score in entry.scores]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("name", LICENCES)
def test_a_licence_says_what_a_hospital_should_know(name):
    assert dated(LICENCES[name]) and LICENCES[name].clauses
    assert not (LICENCES[name].open and LICENCES[name].commercial is not True)


def test_the_terms_of_medgemma_speak_of_clinical_use_and_llamas_of_unlicensed_practice():
    assert "Clinical use" in " ".join(LICENCES["Health AI Developer Foundations terms"].clauses)
    for name in ("Llama 3.1 Community License", "Gemma Terms of Use"):
        assert "practice of a profession" in " ".join(LICENCES[name].clauses)


@pytest.mark.parametrize("name", APIS_TOLD.models)
def test_a_service_says_who_offers_it_and_where_that_was_read(name):
    model = APIS_TOLD.models[name]
    assert dated(model.card) and all(dated(APIS_TOLD.providers[who]) for who in model.providers)


def test_every_price_is_of_a_known_service_and_an_unknown_one_is_never_certain():
    for price in PRICES.api:
        assert price.provider in APIS_TOLD.models[price.model].providers
        assert price.source and price.as_of <= TODAY
        assert not (price.certain and None in (price.input, price.output))


def test_what_was_asked_for_is_there():
    names = " ".join([*CATALOGUE, *APIS_TOLD.models])
    for family in (
        *(
            "llama-3.1",
            "llama-3.2",
            "llama-3.3",
            "mistral-7b",
            "mixtral",
            "qwen2.5",
            "qwen3",
            "gemma-2",
            "gemma-3",
        ),
        *("medgemma", "phi-", "smollm2", "olmo-2", "biomistral", "meditron", "openbiollm"),
        *("gpt-4o", "gpt-4.1", "claude", "gemini"),
    ):
        assert family in names


def test_a_provider_that_is_none_is_named_with_its_place(tmp_path):
    told = yaml.safe_load(APIS.read_text())
    told["models"]["gpt-4o"]["providers"] = ["nobody"]
    path = tmp_path / "apis.yaml"
    path.write_text(yaml.safe_dump(told))
    with pytest.raises(UsageError, match="gpt-4o: nobody is none of providers"):
        load_apis(path)


def test_a_score_above_all_correct_is_named_with_its_line(tmp_path):
    path = tmp_path / "models.yaml"
    path.write_text(
        "x:\n  source: path:x\n  licence: MIT\n  parameters: 1\n  context: 1\n"
        "  scores:\n    - {benchmark: MedQA, value: 101, source: y, as_of: 2026-01-01}\n"
    )
    with pytest.raises(UsageError, match=r"models.yaml, line 6: x\.scores\.0\.value: .*100"):
        load_catalogue(path)
