"""The synthesis stage: a curated version in, a version of synthetic training examples out."""

from __future__ import annotations

import collections
import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from preceptor.curation.contamination import HeldOut
from preceptor.models import ResolvedModel
from preceptor.progress import Progress, silent
from preceptor.records import DeidentifiedDocument, Example
from preceptor.settings import CurationSettings, SynthesisSettings
from preceptor.synthesis import VERSION, knowledge, variations
from preceptor.synthesis.checkpoint import Checkpoint
from preceptor.synthesis.filters import Candidate, refusal, refusal_of_new, refusal_of_variation, runs
from preceptor.synthesis.generators import Generator, make_generator
from preceptor.synthesis.judge import Judge
from preceptor.synthesis.targets import ranked
from preceptor.tables import DOCUMENTS, EXAMPLES, read_documents, read_examples, write_examples
from preceptor.versions import DatasetVersion, digest, find_version, load, make_version, write_atomic

STAGE = "synthetic"
PROMPT = (
    "Rewrite this clinical text in other words. Keep every number, drug, finding and diagnosis exactly, add nothing, "
    "and write only the text.\n\n{source}"
)


class Weak(Protocol):
    """Where a model was weak: its scores by use case, and the share that failed by `use case/specialty`."""

    @property
    def scores(self) -> Mapping[str, float]: ...
    @property
    def failing(self) -> Mapping[str, float]: ...


def synthesize(
    data: Path,
    curated: DatasetVersion,
    settings: SynthesisSettings,
    curation: CurationSettings,
    base: Callable[[], ResolvedModel],
    weak: Weak | None = None,
    on_progress: Progress = silent,
    provider: Callable[[], Generator] | None = None,
) -> DatasetVersion:
    """Make the synthetic version of a curated one: rewrite and vary training sources, filter, cap; answers stay.

    `weak` is what the last evaluation found, for `synthesis.target_weak`; `provider` makes the generator of a service
    elsewhere. Facts: candidates, accepted, refused by rule, share of the training split. Finished batches of candidates are kept
    while the stage works, so that a killed run does not generate them again.
    """
    checkpoint = cache(lambda: Checkpoint(base()))  # once: its files are hashed, and it may be large
    generator = make_generator(settings, checkpoint, provider)
    reader = checkpoint() if generator and settings.judge else None
    scores, failing = (weak.scores, weak.failing) if weak else ({}, {})
    what: dict[str, Any] = {
        "inputs": {
            "curated": curated.name,
            "generator": generator.name if generator else "none",
            **({"judge": reader.of.digest} if reader else {}),
        },
        "config": {
            **settings.model_dump(mode="json"),
            "prompt": PROMPT,
            "scores": dict(scores),
            **({"failing": dict(failing)} if failing else {}),
        },
        "code": VERSION,
    }
    found = find_version(data, STAGE, **what)
    if found:
        return found
    examples = read_examples(curated.path / EXAMPLES)
    train = [e for e in examples if e.split == "train"]
    order = ranked(train, _documents(data, curated), curated.facts.get("balance", {}), scores, failing)
    seeds = order[: settings.candidates] if generator else []
    kept = data / STAGE / f".candidates-{digest(what)[:12]}"
    texts = _generate(generator, seeds, settings.batch_size, kept, on_progress) if generator else []

    def write(folder: Path) -> dict[str, Any]:
        offers = [
            *_rewritten(seeds, texts, generator),
            *_varied(order, settings.variations),
            *_from_knowledge(train, settings.knowledge),
        ]
        accepting = _Accepting(HeldOut.of_examples(examples, curation), Judge(reader) if reader else None)
        rows, refused = accepting.accept(offers, len(train), settings.max_share)
        write_examples(folder / EXAMPLES, rows)
        names = [
            name
            for name, there in (
                (generator and generator.name, seeds),
                (variations.NAME, settings.variations),
                (knowledge.name(), settings.knowledge),
            )
            if there
        ]
        return {
            "generator": ", ".join(str(name) for name in names) or "none",
            "candidates": len(offers),
            "accepted": len(rows),
            "accepted_by_task": dict(sorted(collections.Counter(row.task for row in rows).items())),
            "accepted_by_generator": dict(collections.Counter(str(row.generator) for row in rows)),
            "refused": refused,
            "judged": dict(sorted(accepting.judged.items())),
            "share": round(len(rows) / max(1, len(rows) + len(train)), 4),
        }

    version = make_version(data, STAGE, **what, write=write)
    shutil.rmtree(kept, ignore_errors=True)
    return version


def _documents(data: Path, curated: DatasetVersion) -> dict[str, DeidentifiedDocument]:
    sources = [load(data, stage, name) for stage, name in curated.manifest["inputs"].items()]
    return {d.document_ref: d for source in sources for d in read_documents(source.path / DOCUMENTS)}


def _generate(
    generator: Generator, seeds: Sequence[Example], size: int, kept: Path, on_progress: Progress
) -> list[str]:
    texts: list[str] = []
    for start in range(0, len(seeds), size):
        on_progress(start, len(seeds))
        shard = kept / f"{start:06d}.json"
        if not shard.exists():
            prompts = [PROMPT.format(source=seed.source) for seed in seeds[start : start + size]]
            write_atomic(shard, json.dumps(generator.generate(prompts, seed=start), ensure_ascii=False))
        texts += json.loads(shard.read_text(encoding="utf-8"))
    on_progress(len(seeds), len(seeds))
    return texts


@dataclass(frozen=True, slots=True)
class Offer:
    """A candidate with its answer: who wrote it, upon what, which rules it is held to, and whether a model wrote it."""

    candidate: Candidate
    answer: str
    generator: str
    asked: str
    rules: Callable[[Candidate, HeldOut], str | None]
    by_model: bool = False


def _rewritten(
    seeds: Sequence[Example], texts: Sequence[str], generator: Generator | None
) -> Iterator[Offer]:
    if generator is None:
        return
    for seed, text in zip(seeds, texts, strict=True):
        source = seed.source
        asked = PROMPT.format(source=source)
        yield Offer(Candidate(text, source, seed), seed.answer, generator.name, asked, refusal, by_model=True)


def _varied(order: Sequence[Example], count: int) -> Iterator[Offer]:
    for candidate, answer in variations.variations(order, count):
        yield Offer(candidate, answer, variations.NAME, variations.RECIPE, refusal_of_variation)


def _from_knowledge(train: Sequence[Example], count: int) -> Iterator[Offer]:
    for candidate, answer in knowledge.problem_lists(train, count):
        yield Offer(candidate, answer, knowledge.name(), knowledge.RECIPE, refusal_of_new)


class _Accepting:
    """Which offers become rows. `judged` counts the verdicts of the second pass."""

    def __init__(self, test: HeldOut, judge: Judge | None) -> None:
        self._test, self._judge = test, judge
        self.judged: collections.Counter[str] = collections.Counter()

    def accept(
        self, offers: Sequence[Offer], train_rows: int, max_share: float
    ) -> tuple[list[Example], dict[str, int]]:
        cap = int(max_share * train_rows / (1 - max_share))
        rows: list[Example] = []
        accepted_runs: set[str] = set()
        refused: collections.Counter[str] = collections.Counter()
        for offer in offers:
            rule = offer.rules(offer.candidate, self._test)
            mine = runs(offer.candidate.text, 5)
            if rule is None and len(mine & accepted_runs) > 0.5 * max(1, len(mine)):
                rule = "repeats-another"
            if rule is None and len(rows) >= cap:
                rule = "over-cap"
            if rule is None and offer.by_model and self._judge and self._lost(offer, self._judge):
                rule = "lost-by-judge"
            if rule is not None:
                refused[rule] += 1
                continue
            accepted_runs |= mine
            rows.append(_example(offer))
        return rows, dict(sorted(refused.items()))

    def _lost(self, offer: Offer, judge: Judge) -> bool:
        verdict = judge.told(offer.candidate.seed, offer.candidate.text).verdict
        self.judged[verdict] += 1
        return verdict == "lost"


def _example(offer: Offer) -> Example:
    seed, text = offer.candidate.seed, offer.candidate.text
    prompt = seed.told(text).prompt
    return Example(
        example_id=f"{seed.task}-synthetic-{digest([seed.example_id, text])[:12]}",
        task=seed.task,
        split="train",
        patient_ref=seed.patient_ref,
        document_refs=seed.document_refs,
        specialty=seed.specialty,
        prompt=prompt,
        answer=offer.answer,
        provenance="synthetic",
        generator=offer.generator,
        prompt_hash=hashlib.sha256(offer.asked.encode()).hexdigest(),
        seeds=(seed.example_id,),
        basis=seed.basis,
    )
