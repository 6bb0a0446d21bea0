"""The fresh slice: held-out cases of batches that came after the champion's data, which no model here has learned from.

The frozen test set says whether a model is better on what was asked from the beginning; the fresh slice, on what comes now.
Test cases are few in it, or none, since no batch adds any by itself (preceptor/curation/frozen.py); validation cases are taken
too. Those chose the fine-tuned model's best weights, where a recipe does that, so that its score on them is a little flattered.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from preceptor.evaluation.arms import ARMS, may_be_asked_anew
from preceptor.evaluation.metrics import primary, score
from preceptor.evaluation.prompting import Question
from preceptor.evaluation.statistics import Estimate, macro_mean, paired_difference
from preceptor.records import Example
from preceptor.tables import DOCUMENTS, EXAMPLES, read_examples
from preceptor.versions import DatasetVersion, load

if TYPE_CHECKING:
    from preceptor.evaluation.probes import Material

ROLES = ("base", "finetuned", "champion")


def fresh_cases(data: Path, curated: DatasetVersion, champions: str | None, most: int) -> list[Example]:
    """Return at most `most` held-out examples that were made only from batches the champion's examples were not.

    `champions` is the curated version that the champion was made from. Test cases come first, the others in an order that
    nobody chose. Empty where that version is not there any more, since nothing can be told then.
    """
    if champions is None or not (data / curated.stage / champions).is_dir():
        return []
    before = load(data, curated.stage, champions).manifest["inputs"]
    later = {stage: name for stage, name in curated.manifest["inputs"].items() if stage not in before}
    fresh = {ref for stage, name in later.items() for ref in _document_refs(data / stage / name / DOCUMENTS)}
    found = [
        example
        for example in (read_examples(curated.path / EXAMPLES) if fresh else [])
        if example.split != "train" and example.document_refs and fresh.issuperset(example.document_refs)
    ]
    found.sort(key=lambda e: (e.split != "test", hashlib.sha256(e.example_id.encode()).digest()))
    return found[:most]


def fresh_slice(material: Material) -> dict[str, Any] | None:
    """The probe: base, fine-tuned model and champion on the fresh cases, and the first two's difference to the champion.

    None without fresh cases, or where one of the two models to compare is missing or at a provider.
    """
    cases = material.fresh
    if not cases or not {"finetuned", "champion"} <= set(material.models):
        return None
    if not all(may_be_asked_anew(material.models, role) for role in material.models):
        return None
    scores = {role: _scores(material, role) for role in ROLES if role in material.models}
    tasks = [case.task for case in cases]
    patients = [case.person for case in cases]
    samples, seed = material.settings.bootstrap_samples, material.settings.seed
    gain = paired_difference(
        scores["finetuned"], scores["champion"], tasks, patients, samples=samples, seed=seed
    )
    return {
        "cases": len(cases),
        "patients": gain.patients,
        "by_split": dict(sorted(Counter(case.split for case in cases).items())),
        "by_task": dict(sorted(Counter(tasks).items())),
        "arms": {
            role: {
                "label": ARMS[role][1],
                **_interval(macro_mean(found, tasks, patients, samples=samples, seed=seed)),
                "tasks": _means(cases, found),
            }
            for role, found in scores.items()
        },
        "gain": {**_interval(gain), "p": gain.p},
        "gate": {"cases": len(cases), "gain_over_champion": gain.mean, "gain_over_champion_low": gain.low},
    }


def _scores(material: Material, role: str) -> list[float]:
    answers = material.ask(role, [Question(case.prompt) for case in material.fresh])
    return [
        float(score(case.task, case.prompt, case.answer, answer)[primary(case.task)] or 0.0)
        for case, answer in zip(material.fresh, answers, strict=True)
    ]


def _means(cases: Sequence[Example], scores: Sequence[float]) -> dict[str, float]:
    of: dict[str, list[float]] = {}
    for case, found in zip(cases, scores, strict=True):
        of.setdefault(case.task, []).append(found)
    return {task: sum(found) / len(found) for task, found in sorted(of.items())}


def _interval(found: Estimate) -> dict[str, float]:
    return {"mean": found.mean, "low": found.low, "high": found.high}


def _document_refs(path: Path) -> list[str]:
    import pyarrow.parquet as pq

    return pq.read_table(path, columns=["document_ref"])["document_ref"].to_pylist()
