"""A use case as its YAML file in recipes/use-cases says it, and the draft of an example it gives."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from string import Formatter
from typing import Literal

from pydantic import BaseModel, ConfigDict, field_validator, model_validator

from preceptor.errors import UsageError
from preceptor.records import DeidentifiedDocument
from preceptor.settings import ROOT, read_as

USE_CASES = ROOT / "recipes" / "use-cases"
Label = Literal["summary", "codes", "differential"]
Form = Literal["text", "codes", "differential"]


class Part(BaseModel):
    """A document, or a section of it, or a label beside it: what a declared use case reads or wants."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    note_types: tuple[str, ...] = ()  # none: any
    sections: tuple[str, ...] = ()  # the first of these titles that the document has; none: all of it
    label: Label | None = None


class UseCase(BaseModel):
    """One use case. `kind` names the module here that derives its examples; `declared` says itself what makes a pair."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: str
    title: str
    kind: Literal["session-note", "coding", "summary", "differential", "declared"]
    instruction: str  # may name {note_type}, the type of the note that is wanted
    specialty: str | None = None  # None: documents of any
    input: Part | None = None  # of `declared` only, like `reference`
    reference: Part | None = None
    basis: str | None = None  # the licence or consent under which the documents may be learnt from

    @property
    def form(self) -> Form:
        """What its answers are: text, codes with evidence, or a ranked differential."""
        label = self.reference.label if self.reference else None
        if self.kind == "coding" or label == "codes":
            return "codes"
        return "differential" if "differential" in (self.kind, label) else "text"

    @field_validator("instruction")
    @classmethod
    def _names_what_is_there(cls, value: str) -> str:
        unknown = {name for _, name, _, _ in Formatter().parse(value) if name is not None} - {"note_type"}
        if unknown:
            raise ValueError(f"may name {{note_type}}, not {{{', '.join(sorted(unknown))}}}")
        return value

    @model_validator(mode="after")
    def _declares(self) -> UseCase:
        given = self.input is not None and self.reference is not None
        if self.kind == "declared" and not given:
            raise ValueError("kind: declared needs input and reference")
        if self.kind != "declared" and (self.input or self.reference):
            raise ValueError("input and reference belong to kind: declared")
        if self.input and self.input.label:
            raise ValueError("input is a document or a section, not a label")
        return self


@dataclass(frozen=True, slots=True)
class Draft:
    """An example before filter and split: `source` is the document's text, without the instruction; `form` is that of the
    answer."""

    task: str
    patient_ref: str
    document_refs: tuple[str, ...]
    specialty: str
    instruction: str
    source: str
    answer: str
    form: Form = "text"
    basis: str | None = None
    reviewer: str | None = None
    reviewed_at: str | None = None
    replaced: str | None = None

    @property
    def prompt(self) -> str:
        return f"{self.instruction}\n\n{self.source}"


@dataclass(frozen=True, slots=True)
class Pair:
    """What an example is made of: the text that is shown, the answer, the type of note that is wanted, and the
    documents that both are from."""

    source: str
    answer: str
    note_type: str
    documents: tuple[DeidentifiedDocument, ...]


class Shelf:
    """Documents by reference and by encounter."""

    def __init__(self, documents: Iterable[DeidentifiedDocument]) -> None:
        self.by_ref = {d.document_ref: d for d in documents}
        self._encounters: dict[tuple[str, str], list[DeidentifiedDocument]] = defaultdict(list)
        for document in self.by_ref.values():
            if document.encounter:
                self._encounters[document.patient_ref, document.encounter].append(document)

    def same_encounter(self, document: DeidentifiedDocument) -> list[DeidentifiedDocument]:
        """The other documents of its encounter, in the order of all; none where it names no encounter."""
        if not document.encounter:
            return []
        found = self._encounters[document.patient_ref, document.encounter]
        return [d for d in found if d.document_ref != document.document_ref]


def load_use_cases(tasks: tuple[str, ...], folders: tuple[Path, ...] = (USE_CASES,)) -> list[UseCase]:
    """Return the use cases of `tasks`, each from the first folder that has its file.

    Raises `UsageError` for a name without a file, or a file that is wrong.
    """
    found = []
    for task in tasks:
        path = next((p for folder in folders if (p := folder / f"{task}.yaml").exists()), None)
        if path is None:
            known = ", ".join(sorted({p.stem for folder in folders for p in folder.glob("*.yaml")}))
            where = " or ".join(map(str, folders))
            raise UsageError(f"There is no use case {task!r} in {where}: there are {known}.")
        case = read_as(path, UseCase)
        if case.task != task:
            raise UsageError(f"{path}: task is {case.task!r}, and the file's name says {task!r}.")
        found.append(case)
    return found
