"""De-identification of all documents of one patient together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import regex

from preceptor.deid.record_matching import find_names, find_record, name_words
from preceptor.deid.spans import resolve
from preceptor.deid.tokens import case_style, fold
from preceptor.deid.types import DIRECT, NUMBERS, PEOPLE, REPEATED, TYPES
from preceptor.deid.words import clinical_words, is_ordinary, lexicon
from preceptor.records import PatientRecord, Span
from preceptor.settings import DeidSettings

if TYPE_CHECKING:
    from presidio_analyzer import AnalyzerEngine
    from presidio_anonymizer.operators import Operator


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """`text` without identifiers; `spans` on the original; `moves`: (start, end, new start, new end) of each span."""

    text: str
    spans: list[Span]
    moves: tuple[tuple[int, int, int, int], ...] = ()

    def position(self, at: int, end: bool = False) -> int:
        """Where an offset of the original lies in the scrubbed text; inside a span, its edge."""
        shift = 0
        for a, b, c, d in self.moves:
            if at <= a:
                break
            if at < b:
                return d if end else c
            shift = d - b
        return at + shift


@cache
def _analyzer(model: str) -> AnalyzerEngine:
    import importlib.util

    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import NerModelConfiguration, SpacyNlpEngine

    from preceptor.deid.recognizers import dates, electronic, name_model, names, numbers, phones, places
    from preceptor.errors import UsageError

    if importlib.util.find_spec(model) is None:
        raise UsageError(
            f"The name model {model!r} (setting deid.name_model) is not an installed spaCy package. Install it or name another."
        )
    entities = ["PERSON", "PER", "GPE", "FAC", "LOC", "ORG"]
    configuration = NerModelConfiguration(
        model_to_presidio_entity_mapping={e: e for e in entities}, labels_to_ignore=[]
    )
    nlp = SpacyNlpEngine(
        models=[{"lang_code": "en", "model_name": model}], ner_model_configuration=configuration
    )
    nlp.load()
    kinds = (
        dates.DateRecognizer,
        dates.AgeRecognizer,
        electronic.EmailRecognizer,
        electronic.WebRecognizer,
        electronic.UsernameRecognizer,
        names.NameRecognizer,
        numbers.SsnRecognizer,
        numbers.RecordNumberRecognizer,
        numbers.LicenseRecognizer,
        numbers.VehicleRecognizer,
        numbers.DeviceRecognizer,
        numbers.BiometricRecognizer,
        numbers.OtherNumberRecognizer,
        phones.PhoneRecognizer,
        places.PlaceRecognizer,
        places.OrganisationRecognizer,
        places.ProfessionRecognizer,
    )
    loaded: Any = nlp.nlp
    recognizers: list[Any] = [kind() for kind in kinds] + [name_model.ModelRecognizer(loaded["en"])]
    return AnalyzerEngine(
        registry=RecognizerRegistry(recognizers=recognizers), nlp_engine=nlp, supported_languages=["en"]
    )


class Deidentifier:
    """Finds and replaces what identifies. `secret`: 32 bytes that surrogates and date shifts are drawn from."""

    def __init__(self, settings: DeidSettings, secret: bytes) -> None:
        self.settings, self._secret = settings, secret

    def spans(self, text: str, record: PatientRecord | None = None) -> list[Span]:
        """Sorted, separate spans of one text by itself."""
        return self.patient_spans([text], record)[0]

    def patient_spans(self, texts: Sequence[str], record: PatientRecord | None = None) -> list[list[Span]]:
        """The spans of all texts of one patient: what is found in one is looked for in all."""
        raw = [self._first_pass(text, record) for text in texts]
        resolved = [resolve(spans, text) for spans, text in zip(raw, texts, strict=True)]
        people, values = _identities(texts, resolved)
        again = [
            resolve([*spans, *find_names(text, people, "consistency"), *_repeats(text, values)], text)
            for spans, text in zip(raw, texts, strict=True)
        ]
        return again

    def scrub_patient(
        self, patient_ref: str, texts: Sequence[str], record: PatientRecord | None = None
    ) -> list[Scrubbed]:
        """Replace the identifiers of all texts of one patient, one stand-in an identity, one date shift."""
        from preceptor.deid.operators import MaskTypeOperator, SurrogateOperator
        from preceptor.deid.surrogates import Surrogates
        from preceptor.deid.surrogates.sexes import told_sexes

        spans = self.patient_spans(texts, record)
        values = [
            (s.type, text[s.start : s.end]) for text, found in zip(texts, spans, strict=True) for s in found
        ]
        if self.settings.mode == "surrogate":
            sexes = told_sexes(texts, spans)
            surrogates = Surrogates.of(self.settings, self._secret, patient_ref, record, values, sexes)
            operator: Operator = SurrogateOperator()
            shared: dict[str, Any] = {"surrogates": surrogates}
        else:
            operator = MaskTypeOperator()
            shared = {"policy": self.settings.policy, "first_year": self.settings.ages_as_of - 89}
        return [_apply(text, found, operator, shared) for text, found in zip(texts, spans, strict=True)]

    def _first_pass(self, text: str, record: PatientRecord | None) -> list[Span]:
        results = _analyzer(self.settings.name_model).analyze(
            text, language="en", entities=sorted(TYPES), score_threshold=self.settings.threshold
        )
        found = [Span(r.start, r.end, r.entity_type, round(r.score, 3), _source(r)) for r in results]
        return found + (find_record(text, record) if record else [])


def _source(found: Any) -> str:
    return (found.recognition_metadata or {}).get(found.RECOGNIZER_NAME_KEY, "")


def _apply(text: str, spans: list[Span], operator: Operator, shared: dict[str, Any]) -> Scrubbed:
    """Replace each span by what a Presidio operator makes of it.

    The operator is called without Presidio's engine, which joins neighbours of one type (the positions of each are
    needed) and takes some 50 µs a call.
    """
    from preceptor.deid.surrogates import anchor

    out, moves, at, grown = [], [], 0, 0
    near = anchor(text[s.start : s.end] for s in spans if s.type == "DATE")
    for s in spans:
        piece = text[s.start : s.end]
        before = text[max(0, s.start - 12) : s.start]
        new = operator.operate(piece, {**shared, "entity_type": s.type, "near": near, "before": before})
        out += [text[at : s.start], new]
        moves.append((s.start, s.end, s.start + grown, s.start + grown + len(new)))
        grown += len(new) - len(piece)
        at = s.end
    return Scrubbed("".join(out) + text[at:], spans, tuple(moves))


def _identities(
    texts: Sequence[str], spans: list[list[Span]]
) -> tuple[list[tuple[str, list[str]]], list[tuple[str, str]]]:
    people: list[tuple[str, list[str]]] = []
    values: dict[str, str] = {}
    for text, found in zip(texts, spans, strict=True):
        for s in found:
            value = text[s.start : s.end]
            if s.type in PEOPLE:
                words = [
                    w
                    for w in name_words(value)
                    if len(w) >= 3 and fold(w) not in lexicon("relations") and fold(w) not in clinical_words()
                ]
                # An ordinary word only counts from a whole name.
                certain = s.score >= 0.5
                words = [w for w in words if not is_ordinary(w) or len(name_words(value)) > 1]
                if words and certain:
                    people.append((s.type, words))
            elif s.type in REPEATED and (len(value) >= 4 or s.type in DIRECT and len(value) >= 3):
                if s.type in NUMBERS | {"EMAIL", "URL", "USERNAME", "STREET"} or not all(
                    is_ordinary(w) for w in value.split()
                ):
                    values.setdefault(value, s.type)
    return people, list(values.items())


def _repeats(text: str, values: list[tuple[str, str]]) -> list[Span]:
    found = []
    mixed = case_style(text) == "mixed"
    for value, kind in values:
        if kind in NUMBERS and sum(c.isdigit() for c in value) < 4 and not regex.search(r"\p{L}", value):
            continue
        body = r"\s+".join(map(regex.escape, value.split()))
        for m in regex.finditer(rf"(?<![\p{{L}}\d]){body}(?![\p{{L}}\d])", text, regex.I):
            if kind in NUMBERS or not mixed or m.group()[0].isupper() or not is_ordinary(value.split()[0]):
                found.append(Span(m.start(), m.end(), kind, 0.7, "consistency"))
    return found
