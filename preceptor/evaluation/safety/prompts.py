"""The kinds of prompts, one YAML file each, and how a prompt is made of a test case by rule."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from preceptor.errors import UsageError
from preceptor.evaluation.clinical.extract import extract
from preceptor.records import Example
from preceptor.settings import Pattern, read_as

_WORDS = (
    "COBALT",
    "HERON",
    "JUNIPER",
    "LANTERN",
    "MARBLE",
    "OSPREY",
    "QUARTZ",
    "SAFFRON",
    "TUNDRA",
    "WALNUT",
)
_LINE_END = re.compile(r"\n+|(?<=[.!?])\s+")
_AMOUNT = re.compile(r"\d+(?:\.\d+)?")


class Template(BaseModel):
    """How a prompt differs from its case: `ask` stands for the case's instruction, `document` for its document; `add` is put after the
    instruction, `insert` into the document; its first dose is multiplied by `dose_times`. `unless` is a pattern: a document in
    which it is found is not used."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ask: str | None = None
    add: str | None = None
    document: str | None = None
    insert: str | None = None
    place: Literal["middle", "end"] = "middle"
    unless: Pattern | None = None
    dose_times: float | None = Field(default=None, gt=1)

    @model_validator(mode="after")
    def _changes_something(self) -> Template:
        if not self.model_fields_set - {"place", "unless"}:
            raise ValueError("give at least one of ask, add, document, insert, dose_times")
        return self


class Kind(BaseModel):
    """One kind of prompts and the rule that judges the answers (`preceptor.evaluation.safety.judging`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    judged: Literal["abstains", "follows", "leaks", "other_dose"]
    prompts: tuple[Template, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _can_be_judged(self) -> Kind:
        marked = [bool(re.search(r"\{(?:marker|one)\}", t.insert or "")) for t in self.prompts]
        if self.judged == "follows" and not all(marked):
            raise ValueError("judged: follows needs {marker}, or {one} and {two}, in every insert")
        if self.judged == "other_dose" and not all(t.dose_times for t in self.prompts):
            raise ValueError("judged: other_dose needs dose_times in every prompt")
        return self


@dataclass(frozen=True, slots=True)
class Trial:
    """A case with its prompt changed. `inserted` and `marker` are of an injection, empty otherwise."""

    case: Example
    inserted: str = ""
    marker: str = ""


def read_kinds(folder: Path) -> dict[str, Kind]:
    """Return the kinds of a folder, by the names of their files. Raises `UsageError` without any, or for one that is wrong."""
    paths = sorted(folder.glob("*.yaml")) if folder.is_dir() else []
    if not paths:
        raise UsageError(f"{folder} (evaluation.safety.prompts) has no YAML file: there is nothing to ask.")
    return {path.stem: read_as(path, Kind) for path in paths}


def trials(kind: Kind, cases: Sequence[Example], count: int, seed: int) -> list[Trial]:
    """Make up to `count` different prompts of the cases in their order; templates take turns, and one that does not fit a case
    leaves it to the next."""
    found: dict[str, Trial] = {}
    turn = 0
    for case in cases:
        if len(found) == count:
            break
        ways = len(kind.prompts)
        for template in (kind.prompts[(turn + step) % ways] for step in range(ways)):
            made = _made(template, case, Random(f"{seed} safety {case.example_id}"))
            if made is not None and made.case.prompt not in found:
                found[made.case.prompt] = made
                turn = kind.prompts.index(template) + 1
                break
    return list(found.values())


def _made(template: Template, case: Example, draw: Random) -> Trial | None:
    instruction, source = case.instruction, case.source
    if template.unless and re.search(template.unless, source, re.I):
        return None
    if template.dose_times:
        changed = multiplied(source, template.dose_times)
        if changed is None:
            return None
        source = changed
    if template.document is not None:
        source = template.document
    instruction = template.ask or instruction
    if template.add:
        instruction = f"{instruction} {template.add}"
    one, two = draw.choice(_WORDS), str(draw.randrange(100, 1000))
    marker, inserted = f"{one}-{two}", ""
    if template.insert:
        inserted = template.insert.replace("{marker}", marker).replace("{one}", one).replace("{two}", two)
        source = _with(source, inserted, template.place)
    prompt = f"{instruction}\n\n{source}".strip()
    return Trial(replace(case, prompt=prompt), inserted, marker if template.insert else "")


def multiplied(source: str, times: float) -> str | None:
    """The document with the amount of its first dose in milligrams multiplied; None without one in digits.

    >>> multiplied("He takes metoprolol 25 mg twice daily.", 10)
    'He takes metoprolol 250 mg twice daily.'
    """
    for fact in extract(source).found:
        if fact.kind != "dose" or not fact.value.endswith(" mg"):
            continue
        amount = _AMOUNT.match(source, fact.start, fact.end)
        if amount:
            more = f"{float(amount[0]) * times:g}"
            return f"{source[: amount.start()]}{more}{source[amount.end() :]}"
    return None


def _with(source: str, line: str, place: str) -> str:
    """The document with a line of its own in it, near the middle between two sentences or at the end."""
    cuts = [0, *(match.end() for match in _ends(source)), len(source)]
    at = len(source) if place == "end" else min(cuts, key=lambda cut: abs(cut - len(source) / 2))
    return "\n".join(part for part in (source[:at].rstrip(), line, source[at:].lstrip()) if part)


def _ends(source: str) -> Iterator[re.Match[str]]:
    return _LINE_END.finditer(source)
