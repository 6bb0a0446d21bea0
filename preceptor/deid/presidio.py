"""Our recognisers as Presidio's, for any `AnalyzerEngine` or registry file; and Presidio's told in our types.

    import preceptor.deid.presidio
    registry.add_recognizer(preceptor.deid.presidio.ClinicalDateRecognizer())

Their names are none of Presidio's own: its registry knows recognisers by the name of their class. Preceptor itself runs
what is in them without Presidio's engine, whose import alone takes several times the memory of all of this.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from presidio_analyzer import AnalysisExplanation, EntityRecognizer, RecognizerResult

from preceptor.deid.recognizers import dates, electronic, names, numbers, phones, places, speakers
from preceptor.deid.recognizers.rule import Recognizer
from preceptor.deid.tagger.tagging import MODEL, load_tagger
from preceptor.deid.types import TYPES, type_of
from preceptor.records import Span

if TYPE_CHECKING:
    from presidio_analyzer.nlp_engine import NlpArtifacts


def result(span: Span) -> RecognizerResult:
    """A Presidio result that names its source; a recogniser of ours never explains itself with text."""
    return RecognizerResult(
        span.type,
        span.start,
        span.end,
        span.score,
        AnalysisExplanation(span.source, span.score),
        recognition_metadata={RecognizerResult.RECOGNIZER_NAME_KEY: span.source},
    )


class _Clinical(EntityRecognizer):
    """Made without arguments, or with those that a Presidio registry gives."""

    inner: type[Recognizer]

    def __init__(
        self,
        supported_language: str = "en",
        name: str | None = None,
        context: list[str] | None = None,
        supported_entities: list[str] | None = None,
    ) -> None:
        self._inner = self.inner()
        super().__init__(
            supported_entities=supported_entities or list(self.inner.ENTITIES),
            name=name or type(self).__name__,
            supported_language=supported_language,
            context=context,
        )

    def load(self) -> None:
        """Nothing to load."""

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        return [result(s) for s in self._inner.find(text) if not entities or s.type in entities]


class ClinicalDateRecognizer(_Clinical):
    inner = dates.DateRecognizer


class ClinicalAgeRecognizer(_Clinical):
    inner = dates.AgeRecognizer


class ClinicalEmailRecognizer(_Clinical):
    inner = electronic.EmailRecognizer


class ClinicalWebRecognizer(_Clinical):
    inner = electronic.WebRecognizer


class ClinicalUsernameRecognizer(_Clinical):
    inner = electronic.UsernameRecognizer


class ClinicalNameRecognizer(_Clinical):
    inner = names.NameRecognizer


class ClinicalSpeakerRecognizer(_Clinical):
    inner = speakers.SpeakerRecognizer


class ClinicalSsnRecognizer(_Clinical):
    inner = numbers.SsnRecognizer


class ClinicalRecordNumberRecognizer(_Clinical):
    inner = numbers.RecordNumberRecognizer


class ClinicalLicenseRecognizer(_Clinical):
    inner = numbers.LicenseRecognizer


class ClinicalVehicleRecognizer(_Clinical):
    inner = numbers.VehicleRecognizer


class ClinicalDeviceRecognizer(_Clinical):
    inner = numbers.DeviceRecognizer


class ClinicalBiometricRecognizer(_Clinical):
    inner = numbers.BiometricRecognizer


class ClinicalOtherNumberRecognizer(_Clinical):
    inner = numbers.OtherNumberRecognizer


class ClinicalPhoneRecognizer(_Clinical):
    inner = phones.PhoneRecognizer


class ClinicalPlaceRecognizer(_Clinical):
    inner = places.PlaceRecognizer


class ClinicalCityRecognizer(_Clinical):
    inner = places.CityRecognizer


class ClinicalCuedCityRecognizer(_Clinical):
    inner = places.CuedCityRecognizer


class ClinicalOrganisationRecognizer(_Clinical):
    inner = places.OrganisationRecognizer


class ClinicalProfessionRecognizer(_Clinical):
    inner = places.ProfessionRecognizer


class Tagged(Recognizer):
    """The trained tagger, one text at a time."""

    ENTITIES = sorted(TYPES)

    def __init__(self, model: Path = MODEL, threshold: float = 0.3) -> None:
        self._tagger, self._threshold = load_tagger(model), threshold

    def find(self, text: str) -> list[Span]:
        return self._tagger.spans([text], self._threshold)[0]


class ClinicalTaggerRecognizer(_Clinical):
    inner = Tagged


class Foreign(Recognizer):
    """Another's Presidio recogniser, asked for all it knows, its entities told in our types."""

    def __init__(self, inner: EntityRecognizer) -> None:
        self._inner: Any = inner
        self._name = str(getattr(inner, "name"))  # noqa: B009 - mypy cannot tell its type

    @property
    def name(self) -> str:
        return self._name

    def find(self, text: str) -> list[Span]:
        # Those that wait for spaCy's tokens get none, and find nothing or less.
        found = self._inner.analyze(text, self._inner.supported_entities, None) or []
        return [Span(r.start, r.end, type_of(r.entity_type), round(r.score, 3), self.name) for r in found]
