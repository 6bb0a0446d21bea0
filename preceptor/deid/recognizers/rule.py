"""A recogniser made of rules: patterns that hold their own cue and mark the identifier in a group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import regex
from presidio_analyzer import AnalysisExplanation, EntityRecognizer, RecognizerResult

if TYPE_CHECKING:
    from presidio_analyzer.nlp_engine import NlpArtifacts

# An identifier's value after a cue: letters, digits and joiners, with further groups of digits after a space.
ID_VALUE = r"(?:[A-Za-z]{1,6}[- ]?)?(?=[A-Za-z0-9]*\d)[A-Za-z0-9]+(?:[-/.][A-Za-z0-9]+)*(?:[ ](?=[\d-]*\d{2})\d[\d-]*){0,4}"
# What may stand between a cue and its value.
LINK = r"\s{0,2}(?:(?:no|nr|num|number|id|code)\b\.?)?\s{0,2}(?:is|was|says|of|ending in)?\s{0,2}[#:=|]{0,2}\s{0,3}#?"
# A digit as scanned text may show it.
OCR_DIGIT = r"[\dOolI]"


@dataclass(frozen=True, slots=True)
class Rule:
    """`pattern` with a group `v`: the identifier. `check` sees the match and may refuse it."""

    name: str
    type: str
    pattern: regex.Pattern
    score: float = 0.8
    check: Callable[[regex.Match], bool] | None = None


def rule(
    name: str, type: str, pattern: str, score: float = 0.8, check: Any = None, flags: int = regex.I | regex.M
) -> Rule:
    """Build a rule; a pattern without a group `v` marks its whole match."""
    if "(?P<v>" not in pattern:
        pattern = f"(?P<v>{pattern})"
    return Rule(name, type, regex.compile(pattern, flags), score, check)


def result(type: str, start: int, end: int, score: float, source: str) -> RecognizerResult:
    """A Presidio result that names its source; a recogniser of ours never explains itself with text."""
    return RecognizerResult(
        type,
        start,
        end,
        score,
        AnalysisExplanation(source, score),
        recognition_metadata={RecognizerResult.RECOGNIZER_NAME_KEY: source},
    )


def has_digits(least: int) -> Callable[[regex.Match], bool]:
    """A check: the value holds at least this many digits."""
    return lambda match: sum(c.isdigit() for c in match["v"]) >= least


class RuleRecognizer(EntityRecognizer):
    """Runs its rules over the text. Subclasses give `RULES` and, for the cues Presidio boosts by, `CONTEXT`."""

    RULES: Sequence[Rule] = ()
    CONTEXT: Sequence[str] = ()

    def __init__(self) -> None:
        types = sorted({rule.type for rule in self.RULES})
        super().__init__(supported_entities=types, name=type(self).__name__, context=list(self.CONTEXT))

    def load(self) -> None:
        """Nothing to load."""

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        found = []
        for each in self.RULES:
            if entities and each.type not in entities:
                continue
            for match in each.pattern.finditer(text):
                if each.check is None or each.check(match):
                    start, end = match.span("v")
                    found.append(
                        result(each.type, start, end, each.score, f"{type(self).__name__}.{each.name}")
                    )
        return found
