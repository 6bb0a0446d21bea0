"""Earlier cases for a request that asks for them, with what they are cited by. De-identified (amber)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from preceptor.consent import unusable_patients
from preceptor.evaluation.retrieval import usable
from preceptor.evaluation.search import CaseSearch
from preceptor.records import Example
from preceptor.settings import Settings, Workspace
from preceptor.tables import EXAMPLES, read_examples
from preceptor.vault import open_vault
from preceptor.versions import load

_EXCERPT = 300  # characters of a case in its citation


@dataclass(frozen=True, slots=True)
class Citation:
    """One case that was shown; `text` is what the model read."""

    number: int
    example_id: str
    document_refs: tuple[str, ...]
    text: str

    def facts(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "example_id": self.example_id,
            "documents": list(self.document_refs),
            "excerpt": self.text[:_EXCERPT],
        }


class Cases:
    """The training cases of a curated version by task, without patients whose data may not be used any more."""

    def __init__(self, examples: list[Example]) -> None:
        self._by_task = {
            task: CaseSearch([e for e in examples if e.task == task])
            for task in sorted({e.task for e in examples})
        }

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(self._by_task)

    def nearest(self, task: str, prompt: str, count: int) -> list[Citation]:
        """The cases of a task that are most like a prompt; `task` must be one of `tasks`."""
        search = self._by_task[task]
        asked = Example(
            "request", task, "test", patient_ref="", document_refs=(), specialty="", prompt=prompt, answer=""
        )
        return [
            Citation(number, found.example_id, found.document_refs, search.text(found))
            for number, found in enumerate(search.nearest(asked, count), start=1)
        ]


def cases_of(workspace: Workspace, settings: Settings, curated: str) -> Cases:
    """The cases of one curated version."""
    version = load(workspace.data, "curated", curated)
    train = [e for e in read_examples(version.path / EXAMPLES) if e.split == "train"]
    vault = open_vault(workspace, settings.vault)
    try:
        gone = unusable_patients(vault, settings.intake)
    finally:
        vault.close()
    return Cases([example for example in usable(train, []) if example.patient_ref not in gone])
