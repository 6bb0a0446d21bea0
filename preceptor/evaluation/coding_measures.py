"""ICD-10-CM coding over many cases: agreement with the reference, validity of the codes, evidence, code by code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from preceptor import icd10
from preceptor.evaluation.coding import MIN_EVIDENCE, CodedAnswer, parse_codes, plain, set_f1

Sets = Sequence[frozenset[str]]


@dataclass(frozen=True, slots=True)
class CodeRow:
    """One code: in how many references it stands (`support`) and answers (`assigned`), and how often in both."""

    code: str
    support: int
    assigned: int
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """Answers against references, each in [0, 1]. `macro_cases` is the mean F1 of the cases, `macro_codes` that of the codes."""

    exact: float
    micro_precision: float
    micro_recall: float
    micro_f1: float
    macro_cases: float
    macro_codes: float


def agreement(wanted: Sets, found: Sets) -> Agreement:
    """Compare the sets of codes of references and answers, case by case.

    Micro: over all codes of all cases. A case with neither codes wanted nor found has F1 1; a code that is in both never has 0;
    a ratio without anything in it is 0. Equal to scikit-learn's `f1_score` with average `micro`, `macro` (over the codes that are in either) and
    `samples` with `zero_division=1`.
    """
    if not wanted:
        raise ValueError("no cases")
    rows = per_code(wanted, found)
    hits = sum(len(w & f) for w, f in zip(wanted, found, strict=True))
    in_references, in_answers = sum(map(len, wanted)), sum(map(len, found))
    return Agreement(
        exact=sum(w == f for w, f in zip(wanted, found, strict=True)) / len(wanted),
        micro_precision=_ratio(hits, in_answers),
        micro_recall=_ratio(hits, in_references),
        micro_f1=_ratio(2 * hits, in_references + in_answers),
        macro_cases=sum(set_f1(w, f) for w, f in zip(wanted, found, strict=True)) / len(wanted),
        macro_codes=_ratio(sum(row.f1 for row in rows), len(rows)),
    )


def per_code(wanted: Sets, found: Sets) -> list[CodeRow]:
    """Return every code of references or answers, those with most references first."""
    support = Counter(code for codes in wanted for code in codes)
    assigned = Counter(code for codes in found for code in codes)
    hits = Counter(code for w, f in zip(wanted, found, strict=True) for code in w & f)
    rows = [
        CodeRow(
            code,
            support[code],
            assigned[code],
            _ratio(hits[code], assigned[code]),
            _ratio(hits[code], support[code]),
            _ratio(2 * hits[code], support[code] + assigned[code]),
        )
        for code in support | assigned
    ]
    return sorted(rows, key=lambda row: (-row.support, -row.assigned, row.code))


def coding_facts(
    prompts: Sequence[str], references: Sequence[str], answers: Sequence[str]
) -> dict[str, object]:
    """Return the measures of answers as they were written: `codes`, `categories` (three characters) and `billable` (only codes
    that can be billed) as `Agreement`; the shares of assigned codes that are in no list or cannot be billed (None where
    none was assigned); the share of quoted evidence that stands in its document (None where none was quoted)."""
    wanted = [parse_codes(reference) for reference in references]
    found = [parse_codes(answer) for answer in answers]
    whole = [frozenset(w.codes) for w in wanted], [frozenset(f.codes) for f in found]
    leaves = [[frozenset(filter(icd10.billable, codes)) for codes in side] for side in whole]
    assigned = [code for codes in whole[1] for code in codes]
    unknown = set(icd10.unknown(sorted(set(assigned))))
    return {
        "cases": len(answers),
        "codes": asdict(agreement(*whole)),
        "categories": asdict(agreement([w.categories for w in wanted], [f.categories for f in found])),
        "billable": asdict(agreement(*leaves)),
        "assigned": len(assigned),
        "without_code": sum(not codes for codes in whole[1]),
        "invalid_rate": _share([code in unknown for code in assigned]),
        "not_billable_rate": _share([code not in unknown and not icd10.billable(code) for code in assigned]),
        "evidence_support": _share(_supported(prompts, found)),
        "per_code": [asdict(row) for row in per_code(*whole)],
    }


def _supported(prompts: Sequence[str], found: Sequence[CodedAnswer]) -> list[bool]:
    return [
        len(plain(quote)) >= MIN_EVIDENCE and plain(quote) in plain(prompt)
        for prompt, answer in zip(prompts, found, strict=True)
        for evidence in answer.codes.values()
        for quote in evidence
    ]


def _share(marks: Sequence[bool]) -> float | None:
    return sum(marks) / len(marks) if marks else None


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
