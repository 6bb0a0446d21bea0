"""De-identification of all documents of one patient together."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from preceptor.deid.allowlist import is_medicine
from preceptor.deid.consistency import Repeats
from preceptor.deid.detection import detector_of
from preceptor.deid.masks import masked
from preceptor.deid.policies import POLICIES
from preceptor.deid.record_matching import RecordFinder
from preceptor.deid.spans import resolve
from preceptor.deid.types import OLDEST_AGE_KEPT
from preceptor.records import PatientRecord, Span
from preceptor.settings import DeidSettings

# (type, value, a day the note tells, the text before) -> what stands there instead
Replace = Callable[[str, str, dt.date | None, str], str]


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


class Deidentifier:
    """Finds and replaces what identifies. `secret`: 32 bytes that surrogates and date shifts are drawn from."""

    def __init__(self, settings: DeidSettings, secret: bytes) -> None:
        self.settings, self._secret = settings, secret

    def spans(self, text: str, record: PatientRecord | None = None) -> list[Span]:
        """Sorted, separate spans of one text by itself."""
        return self.patient_spans([text], record)[0]

    def patient_spans(self, texts: Sequence[str], record: PatientRecord | None = None) -> list[list[Span]]:
        """The spans of all texts of one patient: what is found in one is looked for in all."""
        known = RecordFinder(record) if record else None
        raw = [
            [*found, *(known.find(text) if known else [])]
            for text, found in zip(texts, detector_of(self.settings).spans(texts), strict=True)
        ]
        repeats = Repeats(texts, [resolve(spans, text) for spans, text in zip(raw, texts, strict=True)])
        return [
            resolve([*spans, *(s for s in repeats.find(text) if not is_medicine(text, s))], text)
            for spans, text in zip(raw, texts, strict=True)
        ]

    def scrub_patient(
        self, patient_ref: str, texts: Sequence[str], record: PatientRecord | None = None
    ) -> list[Scrubbed]:
        """Replace the identifiers of all texts of one patient, one stand-in an identity, one date shift."""
        from preceptor.deid.surrogates import Surrogates
        from preceptor.deid.surrogates.sexes import told_sexes

        settings = self.settings
        spans = self.patient_spans(texts, record)
        if settings.mode == "mask":
            policy, first_year = POLICIES[settings.policy], settings.ages_as_of - OLDEST_AGE_KEPT
            return [
                _apply(text, found, lambda kind, value, near, before: masked(kind, value, policy, first_year))
                for text, found in zip(texts, spans, strict=True)
            ]
        values = [
            (s.type, text[s.start : s.end]) for text, found in zip(texts, spans, strict=True) for s in found
        ]
        sexes = told_sexes(texts, spans)
        surrogates = Surrogates.of(settings, self._secret, patient_ref, record, values, sexes)
        return [_apply(text, found, surrogates.replace) for text, found in zip(texts, spans, strict=True)]


def _apply(text: str, spans: list[Span], replace: Replace) -> Scrubbed:
    """Replace each span.

    Presidio's AnonymizerEngine is left out here (preceptor/deid/operators.py has these replacements for it): it joins
    neighbours of one type, and the positions of each are needed.
    """
    from preceptor.deid.surrogates import anchor

    out, moves, at, grown = [], [], 0, 0
    near = anchor(text[s.start : s.end] for s in spans if s.type == "DATE")
    for s in spans:
        new = replace(s.type, text[s.start : s.end], near, text[max(0, s.start - 12) : s.start])
        out += [text[at : s.start], new]
        moves.append((s.start, s.end, s.start + grown, s.start + grown + len(new)))
        grown += len(new) - (s.end - s.start)
        at = s.end
    return Scrubbed("".join(out) + text[at:], spans, tuple(moves))
