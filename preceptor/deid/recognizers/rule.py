"""A recogniser made of rules: patterns that hold their own cue and mark the identifier in a group."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import regex

from preceptor.records import Span

# An identifier's value after a cue: letters, digits and joiners, with further groups of digits after a space.
ID_VALUE = r"(?:[A-Za-z]{1,6}[- ]?)?(?=[A-Za-z0-9]*\d)[A-Za-z0-9]+(?:[-/.][A-Za-z0-9]+)*(?:[ ](?=[\d-]*\d{2})\d[\d-]*){0,4}"
# What may stand between a cue and its value.
LINK = r"\s{0,2}(?:(?:no|nr|num|number|id|code)\b\.?)?\s{0,2}(?:is|was|says|of|ending in)?\s{0,2}[#:=|]{0,2}\s{0,3}#?"
# A digit as scanned text may show it.
OCR_DIGIT = r"[\dOolI]"


def one_of(words: Iterable[str]) -> str:
    """A pattern that matches any of the words, the longest first.

    Words with a common beginning share it, so that a text's letter is looked at once and not once a word.
    """
    tree: dict[str, Any] = {}
    for word in words:
        node = tree
        for letter in word:
            node = node.setdefault(letter, {})
        node[""] = {}
    return f"(?:{_branches(tree)})"


def _branches(node: dict[str, Any]) -> str:
    found = [regex.escape(letter) + _branches(below) for letter, below in sorted(node.items()) if letter]
    if not found:
        return ""
    body = found[0] if len(found) == 1 and "" not in node else f"(?:{'|'.join(found)})"
    return body + "?" if "" in node else body


@dataclass(frozen=True, slots=True)
class Rule:
    """`source` of a pattern with a group `v`: the identifier. `check` sees the match and may refuse it."""

    name: str
    type: str
    source: str
    score: float = 0.8
    check: Callable[[regex.Match], bool] | None = None
    flags: int = regex.I | regex.M

    @property
    def pattern(self) -> regex.Pattern:
        """Compiled at its first use: to compile all takes a second, and a note needs few of them."""
        return compiled(self.source, self.flags)

    def places(self, text: str) -> list[tuple[int, int]]:
        """Where the identifier stands, for each match that passes the check."""
        return [
            match.span("v")
            for match in self.pattern.finditer(text)
            if self.check is None or self.check(match)
        ]


def rule(
    name: str, type: str, pattern: str, score: float = 0.8, check: Any = None, flags: int = regex.I | regex.M
) -> Rule:
    """Build a rule; a pattern without a group `v` marks its whole match."""
    if "(?P<v>" not in pattern:
        pattern = f"(?P<v>{pattern})"
    return Rule(name, type, pattern, score, check, flags)


@cache
def compiled(source: str, flags: int = 0) -> regex.Pattern:
    """A pattern, compiled when somebody first asks for it."""
    return regex.compile(source, flags)


def has_digits(least: int) -> Callable[[regex.Match], bool]:
    """A check: the value holds at least this many digits."""
    return lambda match: sum(c.isdigit() for c in match["v"]) >= least


class Recognizer(ABC):
    """Finds identifiers in one text. Knows nothing of Presidio: preceptor/deid/presidio.py makes Presidio's of these.

    `ENTITIES`: the types it finds.
    """

    ENTITIES: Sequence[str] = ()

    @property
    def name(self) -> str:
        return type(self).__name__

    @abstractmethod
    def find(self, text: str) -> list[Span]:
        """The spans in a text, in any order, overlapping or not. Their source begins with the recogniser's name."""


class RuleRecognizer(Recognizer):
    """Runs its rules over the text. Subclasses give `RULES`; its entities are those of its rules."""

    RULES: Sequence[Rule] = ()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.ENTITIES = sorted({rule.type for rule in cls.RULES})

    def find(self, text: str) -> list[Span]:
        return [
            Span(start, end, each.type, each.score, self.source(each))
            for each in self.RULES
            for start, end in each.places(text)
        ]

    def source(self, rule: Rule) -> str:
        """What spans of a rule name as their source."""
        return f"{self.name}.{rule.name}"
