"""The first step with documents of one's own: what is there, a commented configuration, and what so few can and cannot give."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from preceptor.documents.inbox import find_files
from preceptor.documents.limits import DEFAULT
from preceptor.documents.records_file import read_records
from preceptor.documents.rows import count_csv
from preceptor.errors import UsageError
from preceptor.settings import ROOT, CurationSettings, GateSettings
from preceptor.versions import write_atomic

CONFIG, RECIPE = "preceptor.yaml", "recipe.yaml"
_TEMPLATE = ROOT / "recipes" / "start" / CONFIG
_RECIPES = ROOT / "recipes" / "train"
_ROWS = (".jsonl", ".ndjson", ".csv", ".tsv")  # a document a row
_ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".xz", ".bz2")
_SPREAD = 0.2  # standard deviation that differences of two models' scores on one patient are taken to have
_POWER = 1.96 + 0.84  # two-sided 5 %, 80 % power: Cohen 1988, section 2.4


@dataclass(frozen=True, slots=True)
class Survey:
    """What lies in a folder, by the names of its files; no document was opened but to count rows. `documents`: at least so many,
    archives not counted. `patients`: those of the records file, None where there is none."""

    files: dict[str, int]
    documents: int
    archives: int
    records: Path | None
    patients: int | None


def survey(notes: Path, records: Path | None = None) -> Survey:
    """Look through a folder or at a file. Raises `UsageError` where there is nothing, or a row of the records is wrong."""
    inbox = find_files([notes])
    records = records or inbox.records
    files = [file for file in inbox.files if records is None or file.resolve() != records.resolve()]
    if not files:
        raise UsageError(
            f"There is no file in {notes} but a records file, if that. Name the folder that your notes lie in, in any of the "
            "formats of docs/intake.md; examples/corpus/documents has invented ones to try with."
        )
    kinds = Counter(file.suffix.lower() or "(no ending)" for file in files)
    documents = sum(
        _rows(file) if file.suffix.lower() in _ROWS else 1
        for file in files
        if file.suffix.lower() not in _ARCHIVES
    )
    patients = len(read_records(records).patients) if records else None
    archives = sum(file.suffix.lower() in _ARCHIVES for file in files)
    return Survey(dict(kinds.most_common()), documents, archives, records, patients)


def _rows(file: Path) -> int:
    with file.open("rb") as stream:
        if file.suffix.lower() in (".csv", ".tsv"):
            # Notes have line breaks: a row goes over as many lines as its cells have.
            return count_csv(stream, DEFAULT)
        return sum(1 for line in stream if line.strip())


def write_start(notes: Path, records: Path | None, folder: Path, gpu: bool = False) -> list[Path]:
    """Write preceptor.yaml and recipe.yaml into `folder`, and return them.

    Raises `UsageError` if one is there already: somebody may have changed it.
    """
    config, recipe = folder / CONFIG, folder / RECIPE
    if there := [path for path in (config, recipe) if path.exists()]:
        raise UsageError(f"{there[0]} is there already. Name another folder with --to, or change that file.")
    quoted = {  # a path as JSON writes it is one as YAML reads it
        "notes": json.dumps(str(notes.resolve())),
        "records": json.dumps(str(records.resolve())) if records else "null",
        "recipe": json.dumps(str(recipe.resolve())),
    }
    source = _RECIPES / ("qlora.yaml" if gpu else "lora-cpu.yaml")
    write_atomic(recipe, source.read_text(encoding="utf-8").replace("$schema=", f"$schema={_RECIPES}/"))
    write_atomic(config, _TEMPLATE.read_text(encoding="utf-8").format(**quoted))
    return [config, recipe]


def outlook(found: Survey, curation: CurationSettings, gates: GateSettings) -> list[str]:
    """What so many documents can and cannot give, a sentence or two each."""
    people = found.documents if found.patients is None else found.patients
    tested = round(people * curation.test_share)
    of = (
        f"{people:,} patients"
        if found.patients is not None
        else f"{people:,} documents, if each is of another patient"
    )
    lines = []
    if found.records is None:
        lines.append(
            "No records file: de-identification then knows no patient's name beforehand, and documents of one patient are only "
            "known to be so where a row or a standard (FHIR, HL7, C-CDA) says it. Test and training may share a patient: give one."
        )
    lines.append(
        f"De-identification and the quality gates work from the first document. {_reading(found.documents)}"
    )
    lines.append(
        "Examples: a note becomes one only where an answer stands beside it: codes, a summary or diagnoses in its row of the records "
        "or the table, or sections that a use case of yours names (docs/curation.md). Of plain notes alone none is made, and the "
        "run stops at the gate of curated_examples (has-examples)."
    )
    if tested < 2:
        lines.append(
            f"Evaluation: of {of}, {tested} would be tested on. That shows nothing; it only proves that every joint holds."
        )
    else:
        least = _POWER * _SPREAD / math.sqrt(tested)
        lines.append(
            f"Evaluation: of {of}, about {tested} are tested on. A difference between two models would have to be about "
            f"{100 * least:.0f} points of 100 to be shown (scores of one patient that differ by 20 points usually; the report says "
            "what it really was)."
        )
    if tested < gates.min_cases:
        lines.append(
            f"Release: the gate asks for {gates.min_cases} test cases at least. Expect it to refuse: no model that so few cases "
            "speak for should wait for approval."
        )
    lines.append(
        "Training: few examples teach a form (headings, the look of a code list), not knowledge, and are remembered word for word "
        "sooner; the report's section on memorisation says how far. `preceptor data sufficiency --curve` measures what more would buy."
    )
    return lines


def _reading(documents: int) -> str:
    if documents <= 200:
        return "So few can all be read by a person afterwards: `preceptor deid review list`."
    return "Have the sample that it draws read by a person: `preceptor deid review list`."


def next_commands(config: Path, home: Path, program: str) -> Sequence[str]:
    """What to type now; `program` is what calls this one."""
    return (
        f"export PRECEPTOR_HOME={quote(str(home))} PRECEPTOR_CONFIG={quote(str(config))}",
        f"{program} doctor",
        f"{program} run --until curated_examples   # as far as no model is needed",
        f"{program} deid review list               # what a person should look at",
        f"{program} run                            # and on, to an evaluated candidate",
    )
