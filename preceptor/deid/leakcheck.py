"""A second look at scrubbed text, by other rules than the first: what of anybody is still there? Positions only.

It knows nothing of what the first pass took a word for. It searches the output for what the record says of the patient,
letters misread and digits mistyped included; for what the first pass found elsewhere; for shapes of numbers that were
in the original; and, in the text that was not replaced, for capitalised words that only a name explains and for long
numbers. A document with any find is withheld until somebody has looked at it (`preceptor deid review`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import regex

from preceptor.deid.name_matching import name_words, near
from preceptor.deid.record_matching import people_of
from preceptor.deid.searching import Searchable, unseparated
from preceptor.deid.tokens import Token, case_style, fold, tokenize
from preceptor.deid.types import KEPT, NUMBERS, PEOPLE
from preceptor.deid.words import (
    clinical_words,
    first_name_rank,
    is_english,
    is_ordinary,
    lexicon,
    surname_rank,
)
from preceptor.records import PatientRecord

_SHAPES = (
    ("email", "EMAIL", regex.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")),
    ("ssn", "SSN", regex.compile(r"(?<!\d)\d{3}-\d{2}-\d{4}(?!\d)")),
    ("phone", "PHONE", regex.compile(r"(?<!\d)\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?!\d)")),
    ("long-number", "IDNUM", regex.compile(r"\d{7,}")),
)
_LONG = regex.compile(
    r"(?<![\p{L}\d.,/])(?!\d{2,3}-\d{2,3}\b)(?:\p{Lu}{1,4}-?)?\d(?:-?\d){5,}(?![\p{L}\d]|[.,/]\d)"
)
_RUN = regex.compile(r"[\dOolI|SB](?:[ ().-]{0,2}[\dOolI|SB]){5,}")
_AS_DIGITS = str.maketrans("OolI|SB", "0011158")
_FEWEST_DIGITS_KNOWN = 4  # of a number that is searched for as it is
_FEWEST_DIGITS = 6  # of a record's number that is searched for with one digit wrong
_SHORTEST_NAME = 5  # letters of a name that is searched for with one letter wrong
RARE_WORD = "rare-word"
FAILED = "failed"  # the rule of a document whose de-identification broke off: nothing of it goes on
# Endings of terms and of generic drug names (the stems of the International Nonproprietary Names, WHO 2018).
_TERM = regex.compile(
    r"(?:itis|osis|asis|emia|aemia|uria|oma|pathy|ectomy|otomy|ostomy|plasty|scopy|graphy|gram|algia|plegia|penia|philia|"
    r"phobia|trophy|genic|ic|al|ous|oid|ase|mab|nib|pril|sartan|statin|olol|azole|mycin|micin|cillin|floxacin|cycline|vir|"
    r"tidine|prazole|pine|pam|lam|done|caine|gliptin|gliflozin|glutide|tide|formin|zosin|dipine|parin|xaban|gatran|setron|"
    r"triptan|oxetine|ipram|tyline|amine|azine|idine|ine|ide|ate|ol|one|in|um|us|ae|ii|ular|ation|ized|ized|ated)$"
)
_RARE_SURNAME, _RARE_FIRST_NAME = 30_000, 2_500  # census ranks
_ORGANISM = regex.compile(r"\p{Lu}\. ?$")

Moves = Sequence[tuple[int, int, int, int]]


@dataclass(frozen=True, slots=True)
class Leak:
    """An identifier left in scrubbed text at `[start, end)`; never its value."""

    rule: str
    type: str
    start: int
    end: int

    @property
    def is_doubt(self) -> bool:
        """Whether it may well be an unusual term: the document is offered for review, and not withheld."""
        return self.rule == RARE_WORD


def leaks(
    identifiers: Iterable[tuple[str, str]],
    record: PatientRecord | None,
    original: str,
    scrubbed: str,
    moves: Moves = (),
) -> list[Leak]:
    """Search `scrubbed` for the (type, value) pairs of the first pass, the record's values, telling shapes and names.

    `moves`: (start, end, new start, new end) of what was replaced, as `Scrubbed` has them.
    """
    tokens, searchable = tokenize(scrubbed), Searchable(scrubbed)
    replaced = [(c, d) for _, _, c, d in moves]
    found = {
        *_known("found", list(identifiers), tokens, searchable),
        *(_known("record", _record_pairs(record), tokens, searchable) if record else ()),
        *(_almost(record, tokens, scrubbed, replaced) if record else ()),
        *_shapes(original, scrubbed),
        *_unexplained(tokens, scrubbed, replaced),
        *(
            Leak("long-number", "IDNUM", m.start(), m.end())
            for m in _LONG.finditer(scrubbed)
            if not _touches(m.start(), m.end(), replaced)
        ),
    }
    return sorted(found, key=lambda leak: (leak.start, leak.end, leak.rule))


def _known(
    rule: str, pairs: list[tuple[str, str]], tokens: Sequence[Token], searchable: Searchable
) -> Iterator[Leak]:
    """Values as they are: the words of names, whole phrases, numbers however they are separated."""
    words: dict[str, str] = {}
    for kind, value in pairs:
        if kind in KEPT or kind in ("DATE", "PROFESSION"):
            continue
        if kind in PEOPLE:
            for word in _telling(value):
                if len(word) >= 4:
                    words.setdefault(word, kind)
        elif len(value) >= 4 and not (value.isalpha() and is_ordinary(value)):
            if kind not in NUMBERS:
                places = searchable.phrases(value.split())
            elif sum(c.isdigit() for c in value) >= _FEWEST_DIGITS_KNOWN:
                places = searchable.numbers(unseparated(value))
            else:
                continue
            for start, end in places:
                yield Leak(rule, kind, start, end)
    for t in tokens:
        low = fold(t.text).removesuffix("'s")
        if (hit := words.get(low)) and (
            t.is_capitalised or not is_english(low)
        ):  # Hurt is a name, hurt is none
            yield Leak(rule, hit, t.start, t.end)


def _telling(name: str) -> list[str]:
    low = (fold(word).removesuffix("'s") for word in name_words(name))
    return [word for word in low if not is_ordinary(word) and word not in clinical_words()]


def _almost(
    record: PatientRecord, tokens: Sequence[Token], scrubbed: str, replaced: Sequence[tuple[int, int]]
) -> Iterator[Leak]:
    """The record's names with one letter and its numbers with one digit wrong, where nothing was replaced."""
    names = [
        (w, kind) for kind, name in people_of(record) for w in _telling(name) if len(w) >= _SHORTEST_NAME
    ]
    for t in tokens:
        if not t.is_word or len(t.text) < _SHORTEST_NAME - 1 or _touches(t.start, t.end, replaced):
            continue
        low = fold(t.text).removesuffix("'s")
        if is_ordinary(low) or low in clinical_words():
            continue
        if kind := next((k for w, k in names if near(w, low)), None):
            yield Leak("record.almost", kind, t.start, t.end)
    values = [v for _, v in _record_pairs(record)]
    numbers = {d for v in values if len(d := regex.sub(r"\D", "", v)) >= _FEWEST_DIGITS}
    for m in _RUN.finditer(scrubbed):
        if _touches(m.start(), m.end(), replaced):
            continue
        run = regex.sub(r"\D", "", m.group().translate(_AS_DIGITS))
        if any(len(n) == len(run) and sum(a != b for a, b in zip(n, run, strict=True)) <= 1 for n in numbers):
            yield Leak("record.almost", "IDNUM", m.start(), m.end())


def _shapes(original: str, scrubbed: str) -> Iterator[Leak]:
    for name, kind, shape in _SHAPES:
        before = {m.group() for m in shape.finditer(original)}
        for m in shape.finditer(scrubbed) if before else ():
            if m.group() in before:
                yield Leak(f"shape.{name}", kind, m.start(), m.end())


def _unexplained(
    tokens: Sequence[Token], scrubbed: str, replaced: Sequence[tuple[int, int]]
) -> Iterator[Leak]:
    """Capitalised words that are in no dictionary: names of the census, and words of which nothing is known."""
    if case_style(scrubbed) != "mixed":
        return  # capitals say nothing here
    for n, t in enumerate(tokens):
        if not t.is_word or len(t.text) < 4 or not t.text[1:].islower() or not t.is_capitalised:
            continue
        low = fold(t.text)
        low = low.removesuffix("'s")
        if (
            "'" in low
            or is_english(low)
            or is_ordinary(low)
            or low in clinical_words()
            or low in lexicon("cities")
        ):
            continue
        hyphenated = any(
            0 <= m < len(tokens)
            and tokens[m].text in "-–"
            and (tokens[m].end == t.start or tokens[m].start == t.end)
            for m in (n - 1, n + 1)
        )
        organism = _ORGANISM.search(scrubbed, max(0, t.start - 3), t.start)
        if organism or _touches(t.start, t.end, replaced):
            continue
        # With a hyphen it is an eponym as often as a name (Cheyne-Stokes, Quirke-Adeleke): then it is only a doubt.
        if not hyphenated and (
            surname_rank(low) <= _RARE_SURNAME or first_name_rank(low) <= _RARE_FIRST_NAME
        ):
            yield Leak("rare-name", "PATIENT", t.start, t.end)
        elif not _TERM.search(low):
            yield Leak(RARE_WORD, "PATIENT", t.start, t.end)


def _touches(start: int, end: int, replaced: Sequence[tuple[int, int]]) -> bool:
    return any(a < end and start < b for a, b in replaced)


def _record_pairs(record: PatientRecord) -> list[tuple[str, str]]:
    return [
        *people_of(record),
        *(("PHONE", v) for v in record.phones),
        *(("EMAIL", v) for v in record.emails),
        *(("STREET", v.split(",")[0]) for v in record.addresses),
        *(("ORGANIZATION", v) for v in record.organisations),
        *(("IDNUM", v) for v in record.identifiers.values() if any(c.isdigit() for c in v)),
    ]
