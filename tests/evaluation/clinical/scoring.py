"""Precision and recall of the extractor on hand-labelled texts.

A label is `kind|words of the text|…`, `#2` behind the words for their second occurrence: `problem|chest pain|absent`,
`drug|lisinopril`, `dose|lisinopril|20 mg|daily`, `number|148/92|blood pressure|148/92`, `side|knee|left`.
A fact is found when its words overlap the label's; what it says (status, amount, value, side) has to be the same.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from preceptor.evaluation.clinical.extract import Fact, extract
from preceptor.evaluation.clinical.medication import in_milligrams, often

LABELLED = Path(__file__).parent / "labelled.jsonl"


def labelled(half: str) -> list[dict]:
    rows = [json.loads(line) for line in LABELLED.read_text(encoding="utf-8").splitlines()]
    return [row for row in rows if row["half"] == half]


def _place(text: str, words: str) -> tuple[int, int]:
    phrase, _, which = words.partition("#")
    at = -1
    for _ in range(int(which or 1)):
        at = text.index(phrase, at + 1)
    return at, at + len(phrase)


def _same(label: list[str], fact: Fact, text: str) -> bool:
    kind, words, *rest = label
    if kind == "dose":
        value, unit = rest[0].split()
        amount, unit = in_milligrams(float(value), unit)
        drug = _place(text, words)
        near = [f for f in extract(text).found if f.kind == "drug" and f.start < drug[1] and drug[0] < f.end]
        same_drug = any(f.name == fact.name for f in near)
        return (
            same_drug and fact.value == f"{amount:g} {unit}" and (not rest[1] or often(rest[1]) == fact.often)
        )
    start, end = _place(text, words)
    if not (fact.start < end and start < fact.end):
        return False
    if kind == "number":
        return fact.name == rest[0] and fact.value == rest[1]
    return kind != "side" or fact.value == rest[0]


def score(half: str, show: bool = False) -> dict[str, tuple[float, float, int]]:
    """Precision, recall and number of labels by kind; `absent`, `possible`, … are the statuses of problems that were found."""
    hits, found, wanted = Counter(), Counter(), Counter()
    for row in labelled(half):
        text, used = row["text"], set()
        facts = extract(text).found
        for line in row["facts"]:
            label = line.split("|")
            kind = label[0]
            wanted[kind] += 1
            status = label[2] if kind == "problem" else ""
            match = next(
                (f for f in facts if f.kind == kind and id(f) not in used and _same(label, f, text)), None
            )
            if match is not None:
                used.add(id(match))
                hits[kind] += 1
                wanted[status] += bool(status)
                if status and match.value == status:
                    hits[status] += 1
                elif status and show:
                    print(row["id"], "status", line, "got", match.value)
                if status:
                    found[match.value] += 1
            elif show:
                print(row["id"], "MISSED", line)
        for fact in facts:
            found[fact.kind] += 1
            if id(fact) not in used and show:
                print(
                    row["id"],
                    "EXTRA",
                    fact.kind,
                    fact.name,
                    fact.site,
                    fact.value,
                    repr(text[fact.start : fact.end]),
                )
    return {
        kind: (
            hits[kind] / found[kind] if found[kind] else 1.0,
            hits[kind] / wanted[kind] if wanted[kind] else 1.0,
            wanted[kind],
        )
        for kind in sorted(set(wanted) | set(found))
        if kind
    }


if __name__ == "__main__":
    import sys

    for kind, (precision, recall, labels) in score(sys.argv[1], show="-v" in sys.argv).items():
        print(f"{kind:13} precision {precision:.3f} recall {recall:.3f} labels {labels}")
