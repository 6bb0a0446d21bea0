"""The curation stage: documents in, a version of instruction data out."""

from __future__ import annotations

import collections
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from preceptor.curation import VERSION
from preceptor.curation.duplicates import contaminated, near_duplicates
from preceptor.curation.quality import rejection, words
from preceptor.curation.split import assign, load_register, save_register
from preceptor.curation.tasks import Draft, Shelf, UseCase, derive, load_use_cases
from preceptor.curation.tasks.base import USE_CASES
from preceptor.records import Example
from preceptor.settings import CurationSettings, resolve_path
from preceptor.tables import DOCUMENTS, EXAMPLES, read_documents, write_examples
from preceptor.versions import DatasetVersion, digest, make_version

STAGE = "curated"
REGISTER = "splits.json"


def curate(
    data: Path,
    sources: Sequence[DatasetVersion],
    settings: CurationSettings,
    unusable: Collection[str] = (),
) -> DatasetVersion:
    """Make the curated version of de-identified versions: drafts, filter, duplicates, split, decontamination.

    What came from a patient whose data may not be used (by reference: erased, opted out) is left out. Its facts: how many drafts each rule took, examples by task and split, patients by split.
    """
    use_cases = load_use_cases(settings.tasks, use_case_folders(settings))
    register_path = data / REGISTER
    known = load_register(register_path)
    found = [d for source in sources for d in read_documents(source.path / DOCUMENTS)]
    documents = [d for d in found if d.patient_ref not in unusable]
    shelf = Shelf(documents)
    drafts = [draft for case in use_cases for draft in derive(case, shelf)]
    register = assign(_strata(drafts, use_cases), known, settings.test_share, settings.validation_share)
    # Saved before the version exists: a kill in between leaves assignments that the next run finds and keeps.
    save_register(register_path, register)
    here = {p: register[p] for p in sorted({d.patient_ref for d in drafts})}

    def write(folder: Path) -> dict[str, Any]:
        kept, taken = _select(drafts, register, settings)
        write_examples(folder / EXAMPLES, kept)
        return {**_facts(kept), "drafts": len(drafts), "removed": taken, "documents": len(documents)}

    return make_version(
        data,
        STAGE,
        inputs={s.stage: s.name for s in sources},
        config={
            "curation": settings.model_dump(mode="json", exclude={"use_cases"}),
            "use_cases": [c.model_dump(mode="json") for c in use_cases],
            "splits": digest(here),
            "left_out": sorted({d.patient_ref for d in found} & set(unusable)),
        },
        code=VERSION,
        write=write,
    )


def use_case_folders(settings: CurationSettings) -> tuple[Path, ...]:
    """Where use cases are looked for: a hospital's own first, then those that come with Preceptor."""
    own = (resolve_path(settings.use_cases),) if settings.use_cases else ()
    return (*own, USE_CASES)


def _strata(drafts: Sequence[Draft], use_cases: Sequence[UseCase]) -> dict[str, str]:
    totals = collections.Counter(d.task for d in drafts)
    order = sorted((c.task for c in use_cases), key=lambda t: (totals[t], t))
    tasks: dict[str, set[str]] = collections.defaultdict(set)
    for draft in drafts:
        tasks[draft.patient_ref].add(draft.task)
    return {patient: min(has, key=order.index) for patient, has in tasks.items()}


def _select(
    drafts: Sequence[Draft], register: dict[str, str], settings: CurationSettings
) -> tuple[list[Example], dict[str, int]]:
    taken: collections.Counter[str] = collections.Counter()
    good = []
    for draft in drafts:
        rule = rejection(draft, settings)
        if rule:
            taken[rule] += 1
        else:
            good.append(draft)
    # The test split first, so that of two near-duplicates the held-out one stays.
    good.sort(key=lambda d: (register[d.patient_ref] != "test", d.task, d.patient_ref, d.document_refs))
    unique: list[Draft] = []
    for task in sorted({d.task for d in good}):
        of_task = [d for d in good if d.task == task]
        repeats = near_duplicates([d.source for d in of_task], settings.duplicate_jaccard)
        taken["near-duplicate"] += sum(r is not None for r in repeats)
        unique += [d for d, r in zip(of_task, repeats, strict=True) if r is None]
    held_out = [d for d in unique if register[d.patient_ref] == "test"]
    learnt = [d for d in unique if register[d.patient_ref] != "test"]
    forbidden = [text for d in held_out for text in (d.source, d.answer)]
    dirty = contaminated(
        [f"{d.source}\n{d.answer}" for d in learnt], forbidden, settings.decontamination_ngram
    )
    taken["contaminated"] += sum(dirty)
    clean = held_out + [d for d, bad in zip(learnt, dirty, strict=True) if not bad]
    examples = [_example(d, register[d.patient_ref]) for d in clean]
    return sorted(examples, key=lambda e: (e.task, e.example_id)), {
        k: v for k, v in sorted(taken.items()) if v
    }


def _example(draft: Draft, split: str) -> Example:
    name = digest([draft.task, draft.document_refs, draft.prompt, draft.answer])[:12]
    return Example(
        example_id=f"{draft.task}-{name}",
        task=draft.task,
        split=split,
        patient_ref=draft.patient_ref,
        document_refs=draft.document_refs,
        specialty=draft.specialty,
        prompt=draft.prompt,
        answer=draft.answer,
    )


def _facts(examples: Iterable[Example]) -> dict[str, Any]:
    examples = list(examples)
    table: dict[str, dict[str, int]] = {}
    for example in examples:
        row = table.setdefault(example.task, {"train": 0, "validation": 0, "test": 0})
        row[example.split] += 1
    patients = collections.defaultdict(set)
    for example in examples:
        patients[example.split].add(example.patient_ref)
    return {
        "examples": len(examples),
        "by_task": dict(sorted(table.items())),
        "patients": {split: len(found) for split, found in sorted(patients.items())},
        "mean_prompt_words": _mean([len(words(e.prompt)) for e in examples]),
        "mean_answer_words": _mean([len(words(e.answer)) for e in examples]),
    }


def _mean(values: list[int]) -> float:
    return round(sum(values) / len(values), 1) if values else 0.0
