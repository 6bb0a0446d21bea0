"""The test split, case by case, frozen for ever.

A case is a use case and the documents it is made from. Once a use case has test cases, no later batch, rule or setting
takes one away or adds one: new documents of a test patient wait until somebody says so (`preceptor data grow-test`). What
may change is a case's text, where de-identification was mended or a reviewer corrected the reference: kept as it was,
it might keep an identifier. The register holds a digest of each text, so that a version can say how many are not what they
were.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from preceptor.records import Example
from preceptor.versions import digest, write_atomic

FILE = "test-split.json"


@dataclass(frozen=True, slots=True)
class TaskCases:
    """Of one use case: each case's key and the digest of its text when it was frozen; `by` names what froze it."""

    by: str
    cases: dict[str, str]
    grows: bool = False


@dataclass(frozen=True, slots=True)
class TestSplit:
    """The frozen cases of every use case that has any."""

    __test__ = False  # no test of pytest's

    tasks: dict[str, TaskCases] = field(default_factory=dict)

    def has(self, task: str, documents: Iterable[str]) -> bool:
        """Whether this case is frozen: no rule takes it away."""
        return task in self.tasks and case_key(task, documents) in self.tasks[task].cases

    def takes(self, task: str, by: str) -> bool:
        """Whether further cases may join: the first time, when told to grow, and for whoever froze it and was killed."""
        entry = self.tasks.get(task)
        return entry is None or entry.grows or entry.by == by

    def closed(self, by: str) -> dict[str, str]:
        """What of this decides what a version holds: a digest of the cases of each use case that takes no more."""
        return {
            task: digest(sorted(entry.cases))[:12]
            for task, entry in sorted(self.tasks.items())
            if not self.takes(task, by)
        }

    def frozen(self, examples: Iterable[Example], by: str) -> TestSplit:
        """The split with these test cases in it, wherever it takes some."""
        tasks = dict(self.tasks)
        found: dict[str, dict[str, str]] = {}
        for example in examples:
            cases = found.setdefault(example.task, {})
            cases[case_key(example.task, example.document_refs)] = _content(example)
        for task, cases in found.items():
            if self.takes(task, by):
                before = tasks[task].cases if task in tasks else {}
                tasks[task] = TaskCases(by, {**cases, **before})
        return TestSplit(tasks)

    def growing(self) -> TestSplit:
        """The split that takes the cases of the next version, once."""
        return TestSplit({task: TaskCases(e.by, e.cases, True) for task, e in self.tasks.items()})

    def standing(self, examples: Iterable[Example]) -> dict[str, dict[str, int]]:
        """For each use case: frozen cases, those of these examples, and those whose text is not what it was."""
        here = {case_key(e.task, e.document_refs): _content(e) for e in examples}
        return {
            task: {
                "frozen": len(entry.cases),
                "present": sum(key in here for key in entry.cases),
                "rewritten": sum(here.get(key, text) != text for key, text in entry.cases.items()),
            }
            for task, entry in sorted(self.tasks.items())
        }


def case_key(task: str, documents: Iterable[str]) -> str:
    """The name of a case: it says nothing of what is in it."""
    return digest([task, sorted(documents)])[:16]


def load_test_split(path: Path) -> TestSplit:
    """The frozen split; an empty one if nothing has been frozen yet."""
    if not path.exists():
        return TestSplit()
    found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return TestSplit({task: TaskCases(**entry) for task, entry in found.items()})


def save_test_split(path: Path, split: TestSplit) -> None:
    """Replace it, whole or not at all."""
    entries = {
        task: {"by": e.by, "grows": e.grows, "cases": dict(sorted(e.cases.items()))}
        for task, e in sorted(split.tasks.items())
    }
    write_atomic(path, json.dumps(entries, indent=0))


def _content(example: Example) -> str:
    return digest([example.prompt, example.answer])[:16]
