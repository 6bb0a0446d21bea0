"""Counterfactual pairs: one case twice, alike but for what is said of who the patient is.

Sex and age are changed in the text, in the reference too; other attributes are two lines, one of which is put at the head of
the document, so that both sides are disturbed alike. A rule says which documents allow it; the others have no pair.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Literal

from pydantic import BaseModel, ConfigDict

from preceptor.evaluation.metrics import primary
from preceptor.records import Example
from preceptor.settings import Pattern, read_as
from preceptor.synthesis.variations import of_the_other_sex

# From every adult band of preceptor.deid.groups into another one, and short of the ages that Safe Harbor hides.
_YEARS, _OLDEST = 25, 59
_AGE = re.compile(
    r"\b(?P<age>\d{1,3})(?=[ -]+years?[ -]+old|[ -]*y/?o\b)|\b(?<=aged )(?P<aged>\d{1,3})\b",
    re.I,
)
# With these the age is part of the story, and an older patient would be another one.
_OF_AN_AGE = re.compile(
    r"pregnan|gravid|partum|menst|menopaus|\bschool|college|universit|\bteen|adolesc|child|infant|juvenile|"
    r"\byoung|elderly|geriatric|pa?ediatric|years? of age|birth",
    re.I,
)
_MALE, _FEMALE = (
    re.compile(r"\b(?:he|his|him|man|male|gentleman)\b", re.I),
    re.compile(r"\b(?:she|hers?|woman|female|lady)\b", re.I),
)


class Lines(BaseModel):
    """Two lines of which either may stand at the head of a document; see recipes/fairness/counterfactuals.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    attribute: str
    one: str
    other: str
    unless: Pattern | None = None
    sex: Literal["male", "female"] | None = None  # only documents of this sex
    control: bool = False


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    pairs: tuple[Lines, ...]


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """Both sides of a pair. For sex and age `one` is the case as it is; `ages` are those of the two, where they differ."""

    attribute: str
    one: Example
    other: Example
    ages: tuple[int, int] | None = None

    def as_of_one(self, answer: str) -> str:
        """An answer to `other` with the age of `one`, so that the two can be compared."""
        return (
            re.sub(rf"(?<![\d.]){self.ages[1]}(?![\d.]*\d)", str(self.ages[0]), answer)
            if self.ages
            else answer
        )


def read_lines(path: Path) -> tuple[Lines, ...]:
    """Read the pairs of lines. Raises `UsageError` naming file, line and key."""
    return read_as(path, _File).pairs


def of_other_sex(case: Example) -> Counterfactual | None:
    """He for she in document and reference, where nothing of one sex stands in it."""
    source, answer = of_the_other_sex(case.source, case, Random(0))
    return None if source == case.source else Counterfactual("sex", case, case.told(source, answer))


def of_other_age(case: Example) -> Counterfactual | None:
    """The patient 25 years older, in document and reference. Never in a differential, which an age may well change; and only where
    the text has one age from 18 to 59, its number means nothing else, and nothing in it belongs to an age."""
    if primary(case.task) == "differential_soft_recall" or _OF_AN_AGE.search(f"{case.source}\n{case.answer}"):
        return None
    both = f"{case.source}\n{case.answer}"
    told = Counter(match["age"] or match["aged"] for match in _AGE.finditer(both))
    if len(told) != 1:
        return None
    age, times = told.most_common()[0]
    if not 18 <= int(age) <= _OLDEST or len(re.findall(rf"(?<![\d.]){age}(?![\d.]*\d)", both)) != times:
        return None
    ages = (int(age), int(age) + _YEARS)
    source, answer = (_AGE.sub(str(ages[1]), text) for text in (case.source, case.answer))
    return Counterfactual("age band", case, case.told(source, answer), ages)


def with_lines(case: Example, lines: Lines) -> Counterfactual | None:
    """Either line at the head of the document; None where the document says something of the kind itself."""
    source = case.source
    if lines.unless and re.search(lines.unless, source, re.I):
        return None
    if lines.sex and lines.sex != _sex(source):
        return None
    one, other = (case.told(f"{line}\n{source}") for line in (lines.one, lines.other))
    return Counterfactual(lines.attribute, one, other)


def attributes(lines: Sequence[Lines]) -> dict[str, list[Callable[[Example], Counterfactual | None]]]:
    """What may be changed, by attribute: the ways of making a pair of a case, of which the first that fits is taken."""
    ways: dict[str, list[Callable[[Example], Counterfactual | None]]] = {
        "sex": [of_other_sex],
        "age band": [of_other_age],
    }
    for each in lines:
        ways.setdefault(each.attribute, []).append(partial(with_lines, lines=each))
    return ways


def _sex(source: str) -> str | None:
    male, female = bool(_MALE.search(source)), bool(_FEMALE.search(source))
    return None if male == female else "male" if male else "female"
