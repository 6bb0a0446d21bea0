"""The data card in its two forms, read back by the libraries that others would read it with."""

from __future__ import annotations

import json

import mlcroissant
import yaml

from preceptor.curation.cards import card_facts, markdown, write_card
from preceptor.curation.curate import curate
from preceptor.settings import CurationSettings
from preceptor.tables import EXAMPLES, read_examples
from tests.curation.test_curation import deidentified, document


def made(tmp_path, **settings):
    documents = [document(n, patient=n % 15, reference_summary=f"Summary {n}.") for n in range(30)]
    documents.append(document(90, text=documents[0].text, reference_summary="The same."))
    source = deidentified(tmp_path / "in", documents)
    return curate(tmp_path, [source], CurationSettings(tasks=("summary",), **settings))


def test_another_library_reads_the_data_set_through_its_card(tmp_path):
    version = made(tmp_path)
    folder = write_card(card_facts(tmp_path, version), version, tmp_path / "reports")
    dataset = mlcroissant.Dataset(jsonld=folder / "croissant.json")
    assert not dataset.metadata.ctx.issues.errors
    rows = list(dataset.records("examples"))
    examples = read_examples(version.path / EXAMPLES)
    assert {r["examples/example_id"].decode() for r in rows} == {e.example_id for e in examples}


def test_the_card_counts_what_is_there(tmp_path):
    version = made(tmp_path, population={"sex": {"female": 0.5}})
    facts = card_facts(tmp_path, version)
    examples = read_examples(version.path / EXAMPLES)
    total = facts["total"]
    assert total["examples"] == len(examples) == total["train"] + total["validation"] + total["test"]
    assert total["patients"] == len({e.patient_ref for e in examples})
    assert facts["removed"] == {"near-duplicate": 1}
    text = markdown(facts)
    head = yaml.safe_load(text.split("---")[1])
    assert head["size_categories"] == ["n<1K"]
    assert "| near-duplicate | 1 |" in text
    assert "sex female" in text
    assert f"0 of {len(examples)} were looked at by a clinician" in text
    assert "not recorded" in text  # nobody said under which licence
    assert "Not judged yet." in text


def test_no_text_of_a_document_is_in_it(tmp_path):
    version = made(tmp_path)
    folder = write_card(card_facts(tmp_path, version), version, tmp_path / "reports")
    said = (folder / "README.md").read_text() + (folder / "croissant.json").read_text()
    for example in read_examples(version.path / EXAMPLES):
        assert example.answer not in said
        assert example.prompt[-60:] not in said
    assert json.loads((folder / "croissant.json").read_text())["license"] == ["not recorded"]
