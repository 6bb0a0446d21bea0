"""Recognisers from elsewhere by name: any Presidio recogniser, any token classifier of the Hugging Face hub.

deid:
  recognizers:
    - presidio_analyzer.predefined_recognizers:UsItinRecognizer
    - hf:StanfordAIMI/stanford-deidentifier-base
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

from preceptor.deid.recognizers.rule import Recognizer
from preceptor.deid.types import type_of
from preceptor.errors import UsageError
from preceptor.records import Span

_HUB = "hf:"


@cache
def load(name: str) -> Recognizer:
    """The recogniser of a name: `module:Class` (made without arguments), or `hf:` and a hub name or a folder.

    Raises `UsageError` if it cannot be had.
    """
    if name.startswith(_HUB):
        return TokenClassifier(name.removeprefix(_HUB))
    from presidio_analyzer import EntityRecognizer

    from preceptor.deid.presidio import Foreign

    module, _, kind = name.partition(":")
    try:
        made = getattr(importlib.import_module(module), kind)()
        made.load()
    except Exception as error:  # noqa: BLE001 - whatever a foreign module raises
        raise UsageError(
            f"deid.recognizers: {name!r} cannot be loaded ({type(error).__name__}). "
            "Name it as module:Class, a Presidio recogniser that needs no arguments."
        ) from None
    if not isinstance(made, EntityRecognizer):
        raise UsageError(f"deid.recognizers: {name!r} is no Presidio recogniser.")
    return Foreign(made)


class TokenClassifier(Recognizer):
    """A token classifier of the hub (StanfordAIMI/stanford-deidentifier-base, obi/deid_roberta_i2b2, …) or of a folder.

    Long notes are read in overlapping windows. Weights are safetensors; no code of the model's is run.
    """

    def __init__(self, model: str) -> None:
        from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

        try:
            tokenizer = AutoTokenizer.from_pretrained(model, use_fast=True)
            network = AutoModelForTokenClassification.from_pretrained(model, use_safetensors=True)
        except Exception as error:  # noqa: BLE001 - the hub raises many kinds
            raise UsageError(
                f"deid.recognizers: the token classifier {model!r} cannot be loaded ({type(error).__name__}). "
                "It is downloaded once; without a network, name a folder that holds it."
            ) from None
        longest = min(tokenizer.model_max_length, network.config.max_position_embeddings - 2)
        tokenizer.model_max_length = longest
        self._classify: Any = pipeline(
            "token-classification",
            model=network,
            tokenizer=tokenizer,
            aggregation_strategy="simple",
            stride=longest // 4,
        )
        self._name = f"{_HUB}{model}"

    @property
    def name(self) -> str:
        return self._name

    def find(self, text: str) -> list[Span]:
        return [
            Span(
                found["start"],
                found["end"],
                type_of(found["entity_group"]),
                round(float(found["score"]), 3),
                self.name,
            )
            for found in self._classify(text)
        ]
