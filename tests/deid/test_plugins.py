"""Recognisers from elsewhere."""

from __future__ import annotations

import pytest

from preceptor.deid.detection import Detector, name_recognizers, pattern_recognizers
from preceptor.deid.plugins import load
from preceptor.deid.types import TYPES
from preceptor.errors import UsageError

ITIN = "presidio_analyzer.predefined_recognizers:UsItinRecognizer"


def test_a_presidio_recogniser_is_used_by_name():
    text = "ITIN 912-70-1234 was given."
    spans = Detector("none", (ITIN,), 0.3).spans([text])[0]
    assert any(text[s.start : s.end] == "912-70-1234" and s.source == "UsItinRecognizer" for s in spans)
    assert all(s.type in TYPES for s in spans)


@pytest.mark.parametrize(
    "name", ["nowhere:Recognizer", "preceptor.errors:UsageError", "json:JSONDecoder", "words"]
)
def test_what_is_no_recogniser_is_named(name):
    with pytest.raises(UsageError, match="recognizers"):
        load(name)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """A token classifier of one layer, trained for a moment to tell one name: the real thing, small."""
    import torch
    from transformers import BertConfig, BertForTokenClassification, BertTokenizerFast

    folder = tmp_path_factory.mktemp("classifier")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "seen", "by", "quill", "today", "."]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    tokenizer = BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=24)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=32, id2label={0: "O", 1: "HCW"}, label2id={"O": 0, "HCW": 1},
    )  # fmt: skip
    model = BertForTokenClassification(config)
    batch = tokenizer(["seen by quill today."] * 2, return_tensors="pt")
    wanted = (batch["input_ids"] == words.index("quill")).long()
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(60):
        optimizer.zero_grad()
        model(**batch, labels=wanted).loss.backward()
        optimizer.step()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_a_token_classifier_is_used_by_name_on_notes_longer_than_it_reads(classifier):
    text = "seen by quill today . " * 20
    spans = Detector("none", (f"hf:{classifier}",), 0.5).spans([text])[0]
    found = [s for s in spans if s.source.startswith("hf:")]
    assert {text[s.start : s.end] for s in found} == {"quill"}
    assert len(found) == 20
    assert {s.type for s in found} == {"DOCTOR"}


def test_a_classifier_that_is_not_there_says_what_to_do(tmp_path):
    with pytest.raises(UsageError, match="name a folder"):
        load(f"hf:{tmp_path}/none")


def test_any_presidio_registry_loads_our_recognisers_by_name_and_keeps_its_own():
    from presidio_analyzer import EntityRecognizer, predefined_recognizers
    from presidio_analyzer.recognizer_registry import RecognizerRegistryProvider

    from preceptor.deid import presidio
    from preceptor.deid.recognizers.rule import Recognizer

    ours = [
        n
        for n, kind in vars(presidio).items()
        if n.startswith("Clinical") and issubclass(kind, EntityRecognizer)
    ]
    assert set(ours).isdisjoint(dir(predefined_recognizers))
    every = {type(r) for r in (*pattern_recognizers(), *name_recognizers())} | {presidio.Tagged}
    assert {getattr(presidio, name).inner for name in ours} == every
    assert all(issubclass(kind, Recognizer) for kind in every)
    chosen = [{"name": name, "type": "predefined"} for name in ours]
    registry = RecognizerRegistryProvider(
        registry_configuration={"supported_languages": ["en"], "recognizers": chosen}
    ).create_recognizer_registry()
    by_name = {type(r).__name__: r for r in registry.recognizers}
    assert sorted(by_name) == sorted(ours)
    text = "Seen by Dr. Ottilie Quackenbush, phone 505-555-0117."
    assert {"PHONE"} == {r.entity_type for r in by_name["ClinicalPhoneRecognizer"].analyze(text, ["PHONE"])}
    names = [text[r.start : r.end] for r in by_name["ClinicalTaggerRecognizer"].analyze(text, ["DOCTOR"])]
    assert names == ["Ottilie Quackenbush"]


def test_detection_imports_no_presidio_and_no_torch():
    """Importing them takes seconds and most of a gigabyte, which every process of a batch would pay."""
    import subprocess
    import sys

    code = (
        "import sys; from preceptor.deid.engine import Deidentifier; from preceptor.settings import DeidSettings; "
        "import preceptor.deid.stage, preceptor.privacy.report, preceptor.cli.deid; "
        "Deidentifier(DeidSettings(), bytes(32)).scrub_patient('p', ['Seen by Dr. Quill on 3/14.']); print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True
    )
    heavy = {
        "torch",
        "spacy",
        "presidio_analyzer",
        "presidio_anonymizer",
        "transformers",
        "faker",
        "onnx",
        "pandas",
    }
    assert heavy.isdisjoint(done.stdout.split())
