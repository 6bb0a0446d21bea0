"""The first pass: what the tagger, the patterns and the plugged-in recognisers say of texts, each text by itself.

Presidio's AnalyzerEngine is left out here (preceptor/deid/presidio.py has all of this for it): the patterns of all
recognisers run behind one gate, the tagger over many texts at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import regex

from preceptor.deid.allowlist import is_medicine
from preceptor.deid.recognizers.gate import Gate
from preceptor.deid.recognizers.rule import Recognizer, Rule, RuleRecognizer
from preceptor.deid.tagger.chosen import NO_TAGGER
from preceptor.records import Span
from preceptor.settings import DeidSettings

if TYPE_CHECKING:
    from preceptor.deid.tagger.tagging import TrainedTagger

_BEFORE_DAY = regex.compile(r"\b(?:next|last|this|the|coming|past|following) $", regex.I)
_DAY = regex.compile(
    r"(?:mon|tue|wed|thu|fri|sat|sun|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\b|\d{1,2}(?:st|nd|rd|th)\b",
    regex.I,
)


class Detector:
    """All first-pass detectors together; see `detector_of`."""

    def __init__(self, tagger: str, recognizers: Sequence[str], threshold: float) -> None:
        from preceptor.deid.plugins import load

        self._threshold = threshold
        self._tagger = tagger_of(tagger)
        ours = pattern_recognizers() if self._tagger else (*pattern_recognizers(), *name_recognizers())
        self._gate, self._sources = _gated(ours)
        self._others = [r for r in ours if not _is_plain(r)] + [load(name) for name in recognizers]

    def spans(self, texts: Sequence[str]) -> list[list[Span]]:
        """The spans of each text, overlapping as they come."""
        tagged: Sequence[list[Span]] = (
            self._tagger.spans(texts, self._threshold) if self._tagger else [[] for _ in texts]
        )
        return [
            [
                _widened(text, s)
                for s in (*spans, *self._patterns(text), *self._said(text))
                if not is_medicine(text, s)
            ]
            for text, spans in zip(texts, tagged, strict=True)
        ]

    def _patterns(self, text: str) -> list[Span]:
        return [
            Span(start, end, rule.type, rule.score, self._sources[rule])
            for rule, start, end in self._gate.places(text)
            if rule.score >= self._threshold
        ]

    def _said(self, text: str) -> list[Span]:
        return [s for recognizer in self._others for s in recognizer.find(text) if s.score >= self._threshold]


def detector_of(settings: DeidSettings) -> Detector:
    """The detector that the settings want, loaded once in a process.

    Raises `UsageError` for a tagger or recogniser that cannot be loaded.
    """
    return _detector(settings.tagger, settings.recognizers, settings.threshold)


@cache
def _detector(tagger: str, recognizers: tuple[str, ...], threshold: float) -> Detector:
    return Detector(tagger, recognizers, threshold)


def tagger_of(name: str) -> TrainedTagger | None:
    """The tagger that a setting names: a file, `none`, or, for nothing, the one that comes with Preceptor."""
    from preceptor.deid.tagger.tagging import MODEL, load_tagger

    if name == NO_TAGGER:
        return None
    return load_tagger(Path(name) if name else MODEL)


@cache
def pattern_recognizers() -> tuple[Recognizer, ...]:
    """One of each recogniser of what has a form: numbers, dates, contacts, streets, speakers' labels."""
    from preceptor.deid.recognizers import dates, electronic, numbers, phones, places, speakers

    return (
        dates.DateRecognizer(), dates.AgeRecognizer(), electronic.EmailRecognizer(), electronic.WebRecognizer(),
        electronic.UsernameRecognizer(), numbers.SsnRecognizer(), numbers.RecordNumberRecognizer(),
        numbers.LicenseRecognizer(), numbers.VehicleRecognizer(), numbers.DeviceRecognizer(),
        numbers.BiometricRecognizer(), numbers.OtherNumberRecognizer(), phones.PhoneRecognizer(),
        places.PlaceRecognizer(), places.CityRecognizer(), speakers.SpeakerRecognizer(),
    )  # fmt: skip


@cache
def name_recognizers() -> tuple[Recognizer, ...]:
    """One of each recogniser of names and places by cues and lists, for when no tagger is used."""
    from preceptor.deid.recognizers import names, places

    return (
        names.NameRecognizer(), places.CuedCityRecognizer(), places.OrganisationRecognizer(), places.ProfessionRecognizer(),
    )  # fmt: skip


def _is_plain(recognizer: Recognizer) -> bool:
    """Whether its rules are all there is to it."""
    return isinstance(recognizer, RuleRecognizer) and type(recognizer).find is RuleRecognizer.find


@cache
def _gated(recognizers: tuple[Recognizer, ...]) -> tuple[Gate, dict[Rule, str]]:
    sources = {
        rule: r.source(rule)
        for r in recognizers
        if isinstance(r, RuleRecognizer) and _is_plain(r)
        for rule in r.RULES
    }
    return Gate(list(sources)), sources


def _widened(text: str, span: Span) -> Span:
    """`next Tuesday` and `the 14th` are one date, and are replaced as one."""
    if span.type != "DATE" or not _DAY.match(text, span.start, span.end):
        return span
    before = _BEFORE_DAY.search(text, max(0, span.start - 10), span.start)
    return Span(before.start(), span.end, span.type, span.score, span.source) if before else span
