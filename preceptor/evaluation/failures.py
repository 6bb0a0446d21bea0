"""The probe `failures`: what goes wrong in the answers, sorted into kinds, and where it goes wrong most.

A score says how good an answer is; this says what is the matter with a bad one. An answer may have several faults; it is
counted under the gravest, so that the kinds add up to the cases. Where a use case fails most often, in which specialty, can
lead synthesis (`synthesis.target_weak`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from preceptor import icd10
from preceptor.evaluation.clinical.compare import Comparison, compare
from preceptor.evaluation.clinical.probe import is_written, shown_arm
from preceptor.evaluation.coding import MIN_EVIDENCE, parse_codes, plain
from preceptor.evaluation.facts import Prediction
from preceptor.evaluation.metrics import primary

if TYPE_CHECKING:
    from preceptor.evaluation.probes import Material

NO_FAULT = "no fault found"
LISTED = 3  # cases of each kind, those with the lowest scores
_HALF = 0.5  # of facts or diagnoses: fewer found is a fault
_RUN = 4  # words; an answer of which more than half are repetitions of such runs goes in circles
_FEWEST_IN_CELL = 3  # cases of a use case and specialty before their share says anything


def failures(material: Material) -> dict[str, Any]:
    """Return the faults of the fine-tuned model's answers (or the last arm's), and how many the base model has of each.

    `kinds`: for each use case and gravest fault the number of cases, their mean score and the ids of the worst. `cells`: for
    each use case and specialty the cases and the failing ones; a case fails whose answer has a fault. No word of a case is in it.
    """
    arm = shown_arm(material.by_arm)
    by_kind: dict[tuple[str, str], list[Prediction]] = defaultdict(list)
    cells: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for prediction in material.by_arm[arm]:
        fault = gravest(prediction)
        by_kind[prediction.case.task, fault].append(prediction)
        cells[prediction.case.task, prediction.case.specialty].append(fault != NO_FAULT)
    base = Counter((p.case.task, gravest(p)) for p in material.by_arm.get("base", ()))
    order = {name: place for place, name in enumerate((*_FAULTS, NO_FAULT))}
    sizes = Counter(p.case.task for p in material.by_arm[arm])
    return {
        "arm": arm,
        "cases": len(material.by_arm[arm]),
        "failing": sum(len(rows) for (_, fault), rows in by_kind.items() if fault != NO_FAULT),
        "kinds": [
            {
                "task": task,
                "fault": fault,
                "cases": len(rows),
                "of": sizes[task],
                "base": base[task, fault] if "base" in material.by_arm else None,
                "score": sum(row.primary for row in rows) / len(rows) if rows else None,
                "worst": [] if fault == NO_FAULT else [row.case.example_id for row in _worst(rows)],
            }
            for task, fault in sorted(
                by_kind.keys() | base.keys(), key=lambda kind: (kind[0], order[kind[1]])
            )
            for rows in [by_kind.get((task, fault), [])]
        ],
        "cells": [
            {"task": task, "specialty": specialty, "cases": len(marks), "failing": sum(marks)}
            for (task, specialty), marks in sorted(cells.items())
        ],
    }


def failing_shares(facts: Mapping[str, Any]) -> dict[str, float]:
    """For each `use case/specialty` with enough cases the share that fails; `facts` are those of `failures`."""
    return {
        f"{cell['task']}/{cell['specialty']}": round(cell["failing"] / cell["cases"], 4)
        for cell in facts["cells"]
        if cell["cases"] >= _FEWEST_IN_CELL
    }


def gravest(prediction: Prediction) -> str:
    """The first fault of the answer, in the order of `_FAULTS`."""
    return next((name for name, has in _FAULTS.items() if has(prediction)), NO_FAULT)


def _worst(rows: Sequence[Prediction]) -> list[Prediction]:
    return sorted(rows, key=lambda row: (row.primary, row.case.example_id))[:LISTED]


def _goes_in_circles(answer: str) -> bool:
    words = answer.lower().split()
    runs = [tuple(words[n : n + _RUN]) for n in range(len(words) - _RUN + 1)]
    return len(runs) >= 2 * _RUN and 1 - len(set(runs)) / len(runs) > _HALF


@lru_cache(maxsize=8)  # each answer is looked at for several faults in turn
def _compared(document: str, reference: str, answer: str) -> Comparison:
    return compare(document, reference, answer)


def _written(has: Callable[[Comparison], bool]) -> Callable[[Prediction], bool]:
    def fault(p: Prediction) -> bool:
        return is_written(p.case.task) and has(_compared(p.case.prompt, p.case.answer, p.answer))

    return fault


def _coded(has: Callable[[set[str], set[str]], bool]) -> Callable[[Prediction], bool]:
    def fault(p: Prediction) -> bool:
        return primary(p.case.task) == "code_f1" and has(
            set(parse_codes(p.case.answer).codes), set(parse_codes(p.answer).codes)
        )

    return fault


def _quotes_what_is_not_there(p: Prediction) -> bool:
    if primary(p.case.task) != "code_f1":
        return False
    document = plain(p.case.prompt)
    quotes = [plain(q) for evidence in parse_codes(p.answer).codes.values() for q in evidence]
    return any(len(quote) < MIN_EVIDENCE or quote not in document for quote in quotes)


def _score(measure: str, p: Prediction) -> float:
    return float(p.scores.get(measure) or 0.0)


def _lists_diagnoses(p: Prediction) -> bool:
    return primary(p.case.task) == "differential_soft_recall"


# The gravest first: no answer at all, then what may harm, then what is missing, then what is untidy.
_FAULTS: dict[str, Callable[[Prediction], bool]] = {
    "empty": lambda p: not p.answer.strip(),
    "goes in circles": lambda p: _goes_in_circles(p.answer),
    "contradicts the document": _written(lambda c: bool(c.contradictions)),
    "states what is not in the document": _written(lambda c: bool(c.hallucinated)),
    "names a code that does not exist": _coded(lambda wanted, found: bool(icd10.unknown(sorted(found)))),
    "no code": _coded(lambda wanted, found: bool(wanted) and not found),
    "other categories": _coded(
        lambda wanted, found: bool(wanted and found) and not {c[:3] for c in wanted} & {c[:3] for c in found}
    ),
    "right category, other code": _coded(
        lambda wanted, found: any(code[:3] in {c[:3] for c in wanted} for code in found - wanted)
    ),
    "codes too many": _coded(lambda wanted, found: bool(found - wanted)),
    "codes missed": _coded(lambda wanted, found: bool(wanted - found)),
    "quotes what is not in the document": _quotes_what_is_not_there,
    "leading diagnosis missed": lambda p: _lists_diagnoses(p) and not _score("differential_rr", p),
    "most diagnoses missed": lambda p: _lists_diagnoses(p) and _score("differential_soft_recall", p) < _HALF,
    "leaves out most facts": _written(lambda c: c.recall is not None and c.recall < _HALF),
    "cut at the limit": lambda p: not p.finished,
}
