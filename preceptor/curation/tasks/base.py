"""A use case as its YAML file in recipes/use-cases says it, and the draft of an example it gives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from preceptor.errors import UsageError
from preceptor.settings import ROOT, describe, read_yaml

USE_CASES = ROOT / "recipes" / "use-cases"


class UseCase(BaseModel):
    """One use case. `kind` names the module here that derives its examples."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str
    title: str
    kind: Literal["session-note", "coding", "summary", "differential"]
    instruction: str  # may name {note_type}, the type of the note that is wanted
    specialty: str | None = None  # None: documents of any


@dataclass(frozen=True, slots=True)
class Draft:
    """An example before filter and split: `source` is the document's text, without the instruction."""

    task: str
    patient_ref: str
    document_refs: tuple[str, ...]
    specialty: str
    instruction: str
    source: str
    answer: str

    @property
    def prompt(self) -> str:
        return f"{self.instruction}\n\n{self.source}"


def load_use_cases(tasks: tuple[str, ...], folder: Path = USE_CASES) -> list[UseCase]:
    """Return the use cases of `tasks`. Raises `UsageError` for a name without a file, or a file that is wrong."""
    found = []
    for task in tasks:
        path = folder / f"{task}.yaml"
        if not path.exists():
            known = ", ".join(sorted(p.stem for p in folder.glob("*.yaml")))
            raise UsageError(f"There is no use case {task!r} in {folder}; it has {known}.")
        values, lines = read_yaml(path)
        try:
            found.append(UseCase(**values))
        except ValidationError as error:
            raise UsageError(describe(error, {k: f"{path}, line {n}" for k, n in lines.items()})) from None
    return found
