"""The de-identifier: Presidio's engines with our recognisers and operators, one patient at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from preceptor.deid.merging import merge
from preceptor.deid.tokens import case_style
from preceptor.records import PatientRecord, Span

if TYPE_CHECKING:
    from preceptor.settings import DeidSettings


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """A text without identifiers, and the spans of the original that were found (kept ones among them).

    `pieces` maps the original to the text: (start, end, new start, new end) of every replaced stretch, in order.
    """

    text: str
    spans: list[Span]
    pieces: tuple[tuple[int, int, int, int], ...] = ()

    def position(self, offset: int) -> int:
        """Where an offset of the original lies in the text; inside a replaced stretch, that stretch's start."""
        moved = 0
        for start, end, new_start, new_end in self.pieces:
            if offset >= end:
                moved = new_end - end
            elif offset > start:
                return new_start
            else:
                break
        return offset + moved


class Deidentifier:
    """Finds and replaces identifiers. `secret` (32 bytes) keys surrogates and date shifts; models load at first use."""

    def __init__(self, settings: DeidSettings, secret: bytes) -> None:
        self.settings = settings
        self._secret = secret

    def spans(self, text: str, record: PatientRecord | None = None) -> list[Span]:
        """The identifiers of one text: sorted, not overlapping, offsets in code points."""
        return self._found([text], record)[0]

    def scrub_patient(
        self, patient_ref: str, texts: Sequence[str], record: PatientRecord | None = None
    ) -> list[Scrubbed]:
        """De-identify all documents of one patient together, in order.

        What was found in one of them is searched for in all; a person keeps one surrogate and all dates move by one
        number of days. In mode `mask`, each identifier becomes its type in brackets.
        """
        from preceptor.deid.operators import PatientContext, replace

        found = self._found(texts, record)
        context = PatientContext.build(self._secret, patient_ref, texts, found, record, self.settings)
        return [replace(text, spans, context) for text, spans in zip(texts, found, strict=True)]

    def _found(self, texts: Sequence[str], record: PatientRecord | None) -> list[list[Span]]:
        from preceptor.deid.consistency import spread

        first = [self._detect(text, record) for text in texts]
        return spread(texts, first)

    def _detect(self, text: str, record: PatientRecord | None) -> list[Span]:
        from preceptor.deid.record_matching import PatientRecordRecognizer
        from preceptor.deid.truecase import descanned, truecased

        if not text.strip():
            return []
        engine = analyzer(self.settings.name_model)
        ad_hoc = [PatientRecordRecognizer(record)] if record else []
        found = self._analyze(engine, text, ad_hoc)
        copy = truecased(text)
        if copy:
            found += self._model_only(engine, copy)
        reading = descanned(text)
        if reading:
            found += self._analyze(engine, reading, ad_hoc)
        return merge(text, [s for s in found if s.score >= self.settings.threshold])

    def _analyze(self, engine: Any, text: str, ad_hoc: list[Any]) -> list[Span]:
        results = engine.analyze(text=text, language="en", ad_hoc_recognizers=ad_hoc, score_threshold=0.0)
        return [_span(r) for r in results]

    def _model_only(self, engine: Any, text: str) -> list[Span]:
        from preceptor.deid.recognizers.names_by_model import ModelNameRecognizer

        artifacts = engine.nlp_engine.process_text(text, "en")
        return [_span(r) for r in ModelNameRecognizer().analyze(text, [], artifacts)]


def _span(result: Any) -> Span:
    source = (result.recognition_metadata or {}).get(result.RECOGNIZER_NAME_KEY, "")
    return Span(result.start, result.end, result.entity_type, round(result.score, 3), source)


@lru_cache(maxsize=2)
def analyzer(name_model: str) -> Any:
    """Presidio's AnalyzerEngine with our recognisers only, made once per process.

    Presidio's own are left out: telephone numbers by the phonenumbers library are most of its time, licences by
    shape alone are mostly false, and its dates take "daily" for one.
    """
    import logging

    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry

    from preceptor.deid.name_model import NameModel
    from preceptor.deid.registry import recognizers

    # Presidio logs decisions with the text in them when asked to; nobody may ask.
    logging.getLogger("decision_process").disabled = True
    registry = RecognizerRegistry(recognizers=recognizers(), supported_languages=["en"])
    model = NameModel(name_model)
    model.load()
    return AnalyzerEngine(registry=registry, nlp_engine=model, supported_languages=["en"], log_decision_process=False)
