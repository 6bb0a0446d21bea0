"""What the spaCy model of Presidio's NlpEngine says, vetoed by the clinical lists."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import regex
from presidio_analyzer import EntityRecognizer, RecognizerResult

from preceptor.deid.recognizers.rule import result
from preceptor.deid.tokens import case_style, fold
from preceptor.deid.words import clinical_words, first_name_rank, is_ordinary, lexicon, name_rank

if TYPE_CHECKING:
    from presidio_analyzer.nlp_engine import NlpArtifacts

_TYPES = {
    "PERSON": ("RELATIVE", 0.55),
    "GPE": ("CITY", 0.45),
    "FAC": ("LOCATION_OTHER", 0.4),
    "LOC": ("LOCATION_OTHER", 0.4),
    "ORG": ("ORGANIZATION", 0.4),
}


def recased(text: str) -> str:
    """A copy of the same length in which lines without mixed case are written Like This."""
    note = case_style(text)
    lines = [
        line.title() if note != "mixed" or case_style(line) == "upper" else line for line in text.split("\n")
    ]
    copy = "\n".join(lines)
    return copy if len(copy) == len(text) else text


class ModelRecognizer(EntityRecognizer):
    """People and places found by the name model; `nlp` maps a text to a spaCy Doc."""

    def __init__(self, nlp: Any) -> None:
        self._nlp = nlp
        super().__init__(supported_entities=sorted({t for t, _ in _TYPES.values()}), name="ModelRecognizer")

    def load(self) -> None:
        """The NlpEngine loads the model."""

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        ents = [
            (e.start_char, e.end_char, e.label_) for e in (nlp_artifacts.entities if nlp_artifacts else [])
        ]
        copy = recased(text)
        found = [r for e in ents if (r := self._judge(text, text, *e))]
        if copy != text:
            found += [
                r
                for e in self._nlp(copy).ents
                if (r := self._judge(text, copy, e.start_char, e.end_char, e.label_))
            ]
        return found

    def _judge(self, text: str, seen: str, start: int, end: int, label: str) -> RecognizerResult | None:
        label = {"PER": "PERSON"}.get(label, label)
        if label not in _TYPES:
            return None
        kind, score = _TYPES[label]
        piece = seen[start:end].split("\n")[0]
        piece = (
            regex.split(r"[ ]{2,}|[:;|(]|,? (?:MD|DO|RN|NP|PA|MRN|DOB)\b", piece)[0]
            .rstrip(" .,-")
            .removesuffix("'s")
            .removesuffix("’s")
        )
        end = start + len(piece)
        words = [fold(w) for w in regex.findall(r"\p{L}[\p{L}'’]*", piece)]
        if not words or regex.search(r"\d", piece) or all(len(w) < 3 for w in words):
            return None
        vocabulary = [
            w in clinical_words()
            or w in lexicon("note_words")
            or w in lexicon("relations")
            or w in lexicon("staff")
            for w in words
        ]
        if any(vocabulary) and not (kind == "ORGANIZATION" and not all(vocabulary)):
            return None
        if all(is_ordinary(w) for w in words) and not (
            kind == "RELATIVE" and len(words) > 1 and all(name_rank(w) < 20000 for w in words)
        ):
            return None
        if (
            kind == "RELATIVE"
            and len(words) == 1
            and (is_ordinary(words[0]) or piece.isupper() and text[start:end].isupper() and len(piece) < 5)
        ):
            return None
        if (
            kind == "CITY"
            and len(words) == 1
            and first_name_rank(words[0]) < 3000
            and words[0] not in lexicon("cities")
        ):
            kind = "RELATIVE"
        if kind in ("ORGANIZATION", "LOCATION_OTHER") and (
            piece.isupper() or len(words) == 1 and name_rank(words[0]) > 10**5 and len(words[0]) < 5
        ):
            return None
        return result(kind, start, end, score, f"ModelRecognizer.{label}")
