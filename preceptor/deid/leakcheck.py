"""A second look at scrubbed text, independent of the first: what of the patient is still there? Positions only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import regex

from preceptor.deid.record_matching import name_words, people_of
from preceptor.deid.tokens import fold, tokenize
from preceptor.deid.types import KEPT, NUMBERS, PEOPLE
from preceptor.deid.words import clinical_words, is_ordinary
from preceptor.records import PatientRecord

_SHAPES = (
    ("email", "EMAIL", regex.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")),
    ("ssn", "SSN", regex.compile(r"(?<!\d)\d{3}-\d{2}-\d{4}(?!\d)")),
    ("phone", "PHONE", regex.compile(r"(?<!\d)\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?!\d)")),
    ("long-number", "IDNUM", regex.compile(r"\d{7,}")),
)


@dataclass(frozen=True, slots=True)
class Leak:
    """An identifier left in scrubbed text at `[start, end)`; never its value."""

    rule: str
    type: str
    start: int
    end: int


def leaks(
    identifiers: Iterable[tuple[str, str]], record: PatientRecord | None, original: str, scrubbed: str
) -> list[Leak]:
    """Search `scrubbed` for the (type, value) pairs the first pass found, the record's values and telling shapes."""
    found: set[Leak] = set()
    words: dict[str, tuple[str, str]] = {}
    phrases: list[tuple[str, str, str]] = []
    for rule, pairs in (("found", list(identifiers)), ("record", _record_pairs(record) if record else [])):
        for kind, value in pairs:
            if kind in KEPT or kind in ("DATE", "PROFESSION"):
                continue
            if kind in PEOPLE:
                for word in name_words(value):
                    if len(word) >= 4 and not is_ordinary(word) and fold(word) not in clinical_words():
                        words.setdefault(fold(word).removesuffix("'s"), (rule, kind))
            elif len(value) >= 4 and not (value.isalpha() and is_ordinary(value)):
                phrases.append((rule, kind, value))
    for t in tokenize(scrubbed):
        if hit := words.get(fold(t.text).removesuffix("'s")):
            found.add(Leak(hit[0], hit[1], t.start, t.end))
    for rule, kind, value in phrases:
        run = regex.sub(r"[\s().\-/]", "", value)
        if kind in NUMBERS and sum(c.isdigit() for c in run) < 4:
            continue
        body = (
            r"[\s().\-/]{0,3}".join(map(regex.escape, run))
            if kind in NUMBERS
            else r"\s+".join(map(regex.escape, value.split()))
        )
        for m in regex.finditer(rf"(?<![\p{{L}}\d]){body}(?![\p{{L}}\d])", scrubbed, regex.I):
            found.add(Leak(rule, kind, m.start(), m.end()))
    for name, kind, shape in _SHAPES:
        before = {m.group() for m in shape.finditer(original)}
        found |= {
            Leak(f"shape.{name}", kind, m.start(), m.end())
            for m in shape.finditer(scrubbed)
            if m.group() in before
        }
    return sorted(found, key=lambda leak: (leak.start, leak.end, leak.rule))


def _record_pairs(record: PatientRecord) -> list[tuple[str, str]]:
    return [
        *people_of(record),
        *(("PHONE", v) for v in record.phones),
        *(("EMAIL", v) for v in record.emails),
        *(("STREET", v.split(",")[0]) for v in record.addresses),
        *(("ORGANIZATION", v) for v in record.organisations),
        *(("IDNUM", v) for v in record.identifiers.values() if any(c.isdigit() for c in v)),
    ]
