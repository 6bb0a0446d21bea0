"""The curation stage: documents in, a version of instruction data out."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from preceptor.curation import VERSION
from preceptor.curation.balance import balance, groups_of, source_of
from preceptor.curation.contamination import HeldOut, benchmark_texts
from preceptor.curation.duplicates import near_duplicates
from preceptor.curation.frozen import FILE as TEST_SPLIT
from preceptor.curation.frozen import TestSplit, load_test_split, save_test_split
from preceptor.curation.quality import rejection, words
from preceptor.curation.removed import REMOVED, Removed, write_removed
from preceptor.curation.repetition import Repetition
from preceptor.curation.reviewed import Reviews, apply
from preceptor.curation.split import assign, load_register, save_register
from preceptor.curation.tasks import Draft, Shelf, UseCase, derive, load_use_cases
from preceptor.curation.tasks.base import USE_CASES
from preceptor.curation.weights import raked
from preceptor.models.tokens import TokenCounter
from preceptor.records import DeidentifiedDocument, Example
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
    reviews: Reviews | None = None,
    counter: TokenCounter | None = None,
    bases: Mapping[str, str] | None = None,
) -> DatasetVersion:
    """Make the curated version of de-identified versions: drafts, filter, duplicates, split, decontamination.

    What came from a patient whose data may not be used (by reference: erased, opted out) is left out. `reviews` are what clinicians
    decided (`reviews.decisions`); without `counter` no tokens are counted; `bases` has the licence or consent of sources and
    batches, for examples whose use case says none. Its facts: how many
    drafts each rule took, examples by task and split, patients by split, the standing of the frozen test split.
    """
    use_cases, found, documents, shelf, drafts = _drafts(sources, settings, unusable)
    register = _assigned(data, drafts, use_cases, settings, shelf)
    here = {p: register[p] for p in sorted({d.patient_ref for d in drafts})}
    drafts, rejected, stale = apply(_with_basis(drafts, shelf, bases or {}), reviews or {})
    inputs = {s.stage: s.name for s in sources}
    config = {
        "curation": settings.model_dump(mode="json", exclude={"use_cases"}),
        "use_cases": [c.model_dump(mode="json") for c in use_cases],
        "splits": digest(here),
        "left_out": sorted({d.patient_ref for d in found} & set(unusable)),
        "reviews": digest(
            {case: [dataclasses.asdict(r) for r in said] for case, said in (reviews or {}).items()}
        )[:12],
        "bases": dict(sorted((bases or {}).items())),
        "tokenizer": [counter.name, counter.sha256] if counter else None,
    }
    by = digest([inputs, config, VERSION])[:12]
    frozen = load_test_split(data / TEST_SPLIT)

    def write(folder: Path) -> dict[str, Any]:
        gone = [Removed("rejected-by-reviewer", d) for d in rejected]
        chosen = _Selection(register, frozen, by, settings, documents, gone)
        kept = _weighted(_counted(_grouped(chosen.select(drafts), shelf), counter), shelf, settings)
        write_examples(folder / EXAMPLES, kept)
        write_removed(folder / REMOVED, gone)
        test = [e for e in kept if e.split == "test"]
        after = frozen.frozen(test, by)
        # Before the version exists: a kill in between leaves cases that are its own, and it takes them again.
        save_test_split(data / TEST_SPLIT, after)
        return {
            **_facts(kept),
            "drafts": len(drafts) + len(rejected),
            "drafts_by_task": dict(sorted(collections.Counter(d.task for d in (*drafts, *rejected)).items())),
            "removed": dict(sorted(collections.Counter(r.rule for r in gone).items())),
            "removed_by_task": _by_task(gone),
            "documents": len(documents),
            "reviewed": sum(e.reviewer is not None for e in kept),
            "reviews_outdated": stale,
            "test_digest": digest([e.example_id for e in test])[:12],
            "test_split": after.standing(test),
            "balance": balance(kept, shelf.by_ref, settings.population),
        }

    return make_version(
        data,
        STAGE,
        inputs=inputs,
        config={**config, "test_split": frozen.closed(by)},
        code=VERSION,
        write=write,
    )


def grow_test(
    data: Path,
    sources: Sequence[DatasetVersion],
    settings: CurationSettings,
    unusable: Collection[str] = (),
) -> dict[str, int]:
    """Let the patients who are in no split yet join all three, the test split too; return how many joined which.

    What came later of the patients who were in it joins, too. The next curated version has them there. Evaluations before and after it are of different cases.
    """
    use_cases, _, _, shelf, drafts = _drafts(sources, settings, unusable)
    before = load_register(data / REGISTER)
    after = _assigned(data, drafts, use_cases, settings, shelf, grow=True)
    save_test_split(data / TEST_SPLIT, load_test_split(data / TEST_SPLIT).growing())
    return dict(collections.Counter(split for patient, split in after.items() if patient not in before))


def _drafts(
    sources: Sequence[DatasetVersion], settings: CurationSettings, unusable: Collection[str]
) -> tuple[list[UseCase], list[DeidentifiedDocument], list[DeidentifiedDocument], Shelf, list[Draft]]:
    use_cases = load_use_cases(settings.tasks, use_case_folders(settings))
    found = [d for source in sources for d in read_documents(source.path / DOCUMENTS)]
    documents = [d for d in found if d.patient_ref not in unusable]
    shelf = Shelf(documents)
    return use_cases, found, documents, shelf, [d for case in use_cases for d in derive(case, shelf)]


def _with_basis(drafts: Iterable[Draft], shelf: Shelf, bases: Mapping[str, str]) -> list[Draft]:
    def of(draft: Draft) -> str | None:
        document = shelf.by_ref[draft.document_refs[-1]]
        return draft.basis or bases.get(document.batch) or bases.get(source_of(document))

    return [dataclasses.replace(d, basis=of(d)) for d in drafts]


def _assigned(
    data: Path,
    drafts: Sequence[Draft],
    use_cases: Sequence[UseCase],
    settings: CurationSettings,
    shelf: Shelf,
    grow: bool = False,
) -> dict[str, str]:
    """The register with the patients of these drafts in it. Saved before any version exists: a kill in between leaves
    assignments that the next run finds and keeps."""
    path = data / REGISTER
    strata, known = _strata(drafts, use_cases), load_register(path)
    last_seen = _last_seen(drafts, shelf) if settings.split_by == "time" else None
    register = assign(strata, known, settings.test_share, settings.validation_share, grow, last_seen)
    save_register(path, register)
    return register


def _last_seen(drafts: Iterable[Draft], shelf: Shelf) -> dict[str, str]:
    """The year of each patient's newest document that an example was made from; empty where no year is known."""
    found: dict[str, str] = {}
    for draft in drafts:
        years = [shelf.by_ref[ref].year or "" for ref in draft.document_refs]
        found[draft.patient_ref] = max(found.get(draft.patient_ref, ""), *years)
    return found


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


@dataclasses.dataclass(frozen=True, slots=True)
class _Selection:
    """Which drafts become examples; those that do not are added to `gone`."""

    register: Mapping[str, str]
    frozen: TestSplit
    by: str
    settings: CurationSettings
    documents: Sequence[DeidentifiedDocument]
    gone: list[Removed]

    def select(self, drafts: Sequence[Draft]) -> list[Example]:
        kept = self._without_repetition(self._without_duplicates(self._good(drafts)))
        held_out = [d for d in kept if self._split(d) == "test"]
        learnt = [d for d in kept if self._split(d) != "test"]
        clean = held_out
        corpus = [
            (d.patient_ref, (d.source, d.answer))
            for d in (*kept, *(r.draft for r in self.gone if r.rule != "near-duplicate"))
        ]
        test = HeldOut((text for d in held_out for text in (d.source, d.answer)), corpus, self.settings)
        benchmarks = HeldOut(benchmark_texts(self.settings.decontaminate_against), corpus, self.settings)
        texts = [(draft.source, draft.answer) for draft in learnt]
        for draft, text, alike in zip(learnt, texts, test.resembled_by_each(texts), strict=True):
            if test.too_much_in(text):
                self.gone.append(Removed("contaminated", draft))
            elif alike:
                self.gone.append(Removed("resembles-test", draft))
            elif benchmarks.given_away_by(text):
                self.gone.append(Removed("in-benchmark", draft))
            else:
                clean.append(draft)
        examples = [_example(d, self._split(d)) for d in clean]
        return sorted(examples, key=lambda e: (e.task, e.example_id))

    def _split(self, draft: Draft) -> str:
        return self.register[draft.patient_ref]

    def _is_frozen(self, draft: Draft) -> bool:
        return self._split(draft) == "test" and self.frozen.has(draft.task, draft.document_refs)

    def _good(self, drafts: Sequence[Draft]) -> list[Draft]:
        """Those that the filter leaves, and of the test split those that are frozen or may join it."""
        good = []
        for draft in drafts:
            rule = None
            if not self._is_frozen(draft):
                rule = rejection(draft, self.settings)
                if (
                    rule is None
                    and self._split(draft) == "test"
                    and not self.frozen.takes(draft.task, self.by)
                ):
                    rule = "not-in-frozen-test"
            if rule:
                self.gone.append(Removed(rule, draft))
            else:
                good.append(draft)
        return good

    def _without_duplicates(self, drafts: Sequence[Draft]) -> list[Draft]:
        """The first of those that are nearly the same: what is frozen, then the test split, so that the held-out one stays."""
        ordered = sorted(
            drafts,
            key=lambda d: (
                not self._is_frozen(d),
                self._split(d) != "test",
                d.task,
                d.patient_ref,
                d.document_refs,
            ),
        )
        unique: list[Draft] = []
        for task in sorted({d.task for d in ordered}):
            of_task = [d for d in ordered if d.task == task]
            repeats = near_duplicates([d.source for d in of_task], self.settings.duplicate_jaccard)
            for draft, first in zip(of_task, repeats, strict=True):
                if first is None or self._is_frozen(draft):
                    unique.append(draft)
                else:
                    self.gone.append(Removed("near-duplicate", draft, of_task[first].document_refs))
        return unique

    def _without_repetition(self, drafts: Sequence[Draft]) -> list[Draft]:
        """The drafts that say something of their own. A whole note repeated is no paragraph of many: near-duplicates do not
        count for what is boilerplate."""
        repeated = {ref for r in self.gone if r.rule == "near-duplicate" for ref in r.draft.document_refs}
        repetition = Repetition(d for d in self.documents if d.document_ref not in repeated)
        kept = []
        for draft in drafts:
            rule = None
            if not self._is_frozen(draft):
                copied = repetition.copied(draft.source, draft.patient_ref, draft.document_refs)
                if copied > self.settings.max_copied:
                    rule = "copy-forward"
                elif repetition.boilerplate(draft.source) > self.settings.max_boilerplate:
                    rule = "boilerplate"
            if rule:
                self.gone.append(Removed(rule, draft))
            else:
                kept.append(draft)
        return kept


def _by_task(gone: Sequence[Removed]) -> dict[str, dict[str, int]]:
    counts: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for removed in gone:
        counts[removed.draft.task][removed.rule] += 1
    return {task: dict(sorted(rules.items())) for task, rules in sorted(counts.items())}


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
        basis=draft.basis,
        reviewer=draft.reviewer,
        reviewed_at=draft.reviewed_at,
        replaced=draft.replaced,
    )


def _grouped(examples: Sequence[Example], shelf: Shelf) -> list[Example]:
    """With sex and age band as the document has them that the answer is of: groups for fairness, no values of the record."""
    documents = [shelf.by_ref[e.document_refs[-1]] for e in examples]
    return [
        dataclasses.replace(e, sex=d.sex, age_band=d.age_band)
        for e, d in zip(examples, documents, strict=True)
    ]


def _counted(examples: Sequence[Example], counter: TokenCounter | None) -> list[Example]:
    if counter is None:
        return list(examples)
    asked, answered = (
        counter.counts([e.prompt for e in examples]),
        counter.counts([e.answer for e in examples]),
    )
    return [
        dataclasses.replace(e, prompt_tokens=p, answer_tokens=a)
        for e, p, a in zip(examples, asked, answered, strict=True)
    ]


def _weighted(examples: Sequence[Example], shelf: Shelf, settings: CurationSettings) -> list[Example]:
    """The training examples with their weights toward the population, where one is declared."""
    if not settings.population:
        return list(examples)
    train = [e for e in examples if e.split == "train"]
    groups = [groups_of(shelf.by_ref[e.document_refs[-1]]) for e in train]
    weights = dict(zip((e.example_id for e in train), raked(groups, settings.population), strict=True))
    return [dataclasses.replace(e, weight=weights.get(e.example_id)) for e in examples]


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
        "tokens": sum((e.prompt_tokens or 0) + (e.answer_tokens or 0) for e in examples),
        "mean_prompt_words": _mean([len(words(e.prompt)) for e in examples]),
        "mean_answer_words": _mean([len(words(e.answer)) for e in examples]),
    }


def _mean(values: list[int]) -> float:
    return round(sum(values) / len(values), 1) if values else 0.0
