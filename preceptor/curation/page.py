"""A page to look at a curated version: what each rule took, with samples, lengths, and who is in the data.

It shows text of de-identified documents: amber, like the version itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from preceptor.curation.balance import lacking
from preceptor.curation.quality import words
from preceptor.curation.removed import read_removed
from preceptor.records import Example
from preceptor.tables import EXAMPLES, read_examples
from preceptor.versions import DatasetVersion, write_atomic

FOLDER = "curation"  # among the reports; dropped whole when a patient is erased
_TEMPLATE = Path(__file__).parent / "templates" / "curation.html.j2"
_SAMPLES, _EXCERPT, _BARS = 3, 420, 16


def write_page(version: DatasetVersion, reports: Path) -> Path:
    """Write the page of a version among the reports; return its path."""
    page = reports / FOLDER / f"{version.name}.html"
    write_atomic(page, render(version))
    return page


def render(version: DatasetVersion) -> str:
    """The page as HTML without any reference to outside; all text of documents is escaped."""
    facts = version.facts
    by_task: dict[str, list[Example]] = defaultdict(list)
    for example in read_examples(version.path / EXAMPLES):
        by_task[example.task].append(example)
    by_rule: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in read_removed(version.path):
        by_rule[row["rule"]].append(row)
    return _template().render(
        version=version.name,
        facts=facts,
        tasks={task: _task(facts, task, of) for task, of in sorted(by_task.items())},
        rules={
            rule: [_removed(row) for row in rows[:_SAMPLES]]
            for rule, rows in sorted(by_rule.items(), key=lambda pair: (-len(pair[1]), pair[0]))
        },
        warnings=[
            (field, group, row["warning"], row["share"], row["target"])
            for field, group, row in lacking(facts["balance"])
        ],
    )


def _task(facts: Mapping[str, Any], task: str, examples: Sequence[Example]) -> dict[str, Any]:
    return {
        "drafts": facts["drafts_by_task"].get(task, 0),
        "kept": len(examples),
        "splits": facts["by_task"][task],
        "removed": facts["removed_by_task"].get(task, {}),
        "questions": histogram(len(words(e.prompt)) for e in examples),
        "answers": histogram(len(words(e.answer)) for e in examples),
        "samples": [
            {"id": e.example_id, "split": e.split, "documents": ", ".join(e.document_refs),
             "prompt": _short(e.prompt), "answer": _short(e.answer)}
            for e in examples[:2]
        ],
    }  # fmt: skip


def _removed(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "task": row["task"],
        "documents": ", ".join(row["document_refs"]),
        "like": ", ".join(row["like"]),
        "prompt": _short(row["prompt"]),
        "answer": _short(row["answer"]),
    }


def histogram(values: Iterable[int]) -> list[dict[str, Any]]:
    """Bars of equal width from 0 to the largest value: `to` (words), `count`, and `height` in percent of the tallest."""
    found = list(values)
    width = max(1, -(-(max(found, default=0) + 1) // _BARS))
    counts = [0] * _BARS
    for value in found:
        counts[value // width] += 1
    tallest = max(counts) or 1
    return [
        {"to": (n + 1) * width - 1, "count": count, "height": round(100 * count / tallest)}
        for n, count in enumerate(counts)
    ]


def _short(text: str) -> str:
    return text if len(text) <= _EXCERPT else text[:_EXCERPT].rstrip() + " …"


@cache
def _template() -> Any:
    from jinja2 import Environment, StrictUndefined

    return Environment(autoescape=True, undefined=StrictUndefined).from_string(_TEMPLATE.read_text())
