"""How much of an answer its source supports: numbers, and the words that carry meaning.

Numbers may be spoken in the source (a dialogue) and written in the answer: "twenty six" supports 26.
"""

from __future__ import annotations

import re

_NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
_LIST_NUMBER = re.compile(r"(?:^|(?<=\s))\d{1,2}[.)]\s+(?=[A-Z])|^\s*\d{1,2}[.)]\s", re.M)
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_OF_HEADERS = re.compile(
    r"\b\d{1,4}([/.-])\d{1,2}\1\d{1,4}\b"  # 3/4/2021, 2021-03-04
    rf"|\b{_MONTH}\s+\d{{1,2}}(?:st|nd|rd|th)?\b(?:,?\s+\d{{4}}\b)?|\b\d{{1,2}}\s+{_MONTH}(?:\s+\d{{4}})?\b"
    r"|\b[A-Z]*-?(?=(?:[\d-]*\d){5})[\d-]+\b"  # 831-555-0147, 60441287, PY-60441
    r"|\b[A-Z]{2,}[- ]?\d{4,}\b",  # NAD-7867, NA 3540
    re.I,
)
_WORD = re.compile(r"[a-z]+|[^a-z\s-]")
_TERM = re.compile(r"[a-z]{5,}")
_FEW_TERMS = 4
_STEM = 5  # letters: "smoking" supports "smokes", "ankles" supports "ankle"

_ONES = {w: n for n, w in enumerate(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen".split())}  # fmt: skip
_TENS = {w: 10 * n for n, w in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}
_ORDINALS = {w: n for n, w in enumerate(
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split(), 1)}  # fmt: skip
_MONTHS = {w: n for n, w in enumerate(
    "january february march april may june july august september october november december".split(), 1)}  # fmt: skip
_SCALES = {"hundred": 100, "thousand": 1000}


def unsupported_numbers(source: str, answer: str) -> list[str]:
    """The numbers of an answer that its source neither writes nor says; those of `numbers`."""
    known = _values(source)
    return [n for n in numbers(answer) if float(n) not in known]


def numbers(answer: str) -> list[str]:
    """The different numbers of an answer, without those that number a list, or are of a date, a telephone or a record: a
    note's header has them, and its source need not."""
    bare = _LIST_NUMBER.sub("", _OF_HEADERS.sub("", answer))
    return list(dict.fromkeys(n.replace(",", "") for n in _NUMBER.findall(bare)))


def term_support(source: str, answer: str) -> float | None:
    """The share of an answer's different words of five letters or more whose stem stands in its source.

    None with fewer than four such words, which tell nothing.
    """
    terms = {w[:_STEM] for w in _TERM.findall(answer.lower())}
    if len(terms) < _FEW_TERMS:
        return None
    return len(terms & {w[:_STEM] for w in _TERM.findall(source.lower())}) / len(terms)


def _values(text: str) -> set[float]:
    written = {float(n.replace(",", "")) for n in _NUMBER.findall(text)}
    parts = {float(part) for n in _NUMBER.findall(text) for part in n.replace(",", "").split(".") if part}
    said = _WORD.findall(text.lower())
    found = written | parts | _spoken(said) | {float(_MONTHS[w]) for w in said if w in _MONTHS}
    return found | {year % 100 for year in found if 1900 <= year < 2100}  # 2008 is also '08


def _spoken(words: list[str]) -> set[float]:
    """Every number that a run of number words can mean: "one forty over ninety" says 1, 40, 140 and 90."""
    found: set[float] = set()
    run: list[str] = []
    for word in [*words, ""]:
        if word in _ONES or word in _TENS or word in _SCALES or (run and word == "and"):
            run.append(word)
            continue
        if word in _ORDINALS:
            found |= _meanings([*run, word]) | {float(_ORDINALS[word])}
        elif run:
            found |= _meanings(run)
        run = []
    return found


def _meanings(run: list[str]) -> set[float]:
    found: set[float] = set()
    total, current = 0, 0
    for word in run:
        if word in _SCALES:
            current = max(1, current) * _SCALES[word]
            if word == "thousand":
                total, current = total + current, 0
        elif word != "and":
            value = _ONES.get(word, _TENS.get(word, _ORDINALS.get(word, 0)))
            found.add(float(value))
            # "one forty" is 140, "nineteen ninety" is 1990; "twenty six" is 26.
            if current and word in _TENS and current < 100:
                current = current * 100 + value
            elif current and current % 10 == 0 and value < 10 or current and current % 100 == 0:
                current += value
            elif current:
                current = current * 100 + value if value >= 10 else current * 10 + value
            else:
                current = value
        found.add(float(total + current))
    return found
