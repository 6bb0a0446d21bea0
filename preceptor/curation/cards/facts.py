"""What a data card says of a curated version: what was counted and recorded about it, and nothing else.

No text of a document is in it; what nobody recorded is said to be not recorded.
"""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from preceptor.curation.balance import lacking
from preceptor.quality.gate import known_verdict
from preceptor.records import Example
from preceptor.tables import EXAMPLES, read_examples
from preceptor.versions import DatasetVersion, load

NOT_RECORDED = "not recorded"
_SUITE = "curated_examples"
_RULES = (
    "duplicate_jaccard", "decontamination_ngram", "test_share", "validation_share", "max_copied", "max_boilerplate",
    "min_number_support", "min_term_support",
)  # fmt: skip


def card_facts(data: Path, version: DatasetVersion, use_cases: Sequence[str] = ()) -> dict[str, Any]:
    """Gather the facts of a curated version, of all its use cases or of some; JSON-able."""
    examples = [e for e in read_examples(version.path / EXAMPLES) if not use_cases or e.task in use_cases]
    facts, config = version.facts, version.manifest["config"]
    cases = {case["task"]: case for case in config["use_cases"]}
    tasks = [task for task in cases if not use_cases or task in use_cases]
    return {
        "version": version.name,
        "use_cases": {
            task: {
                "title": cases[task]["title"],
                "specialty": cases[task]["specialty"],
                **_counts([e for e in examples if e.task == task]),
            }
            for task in tasks
        },
        "total": _counts(examples),
        "basis": dict(collections.Counter(e.basis or NOT_RECORDED for e in examples)),
        "language": config["curation"]["language"],
        "tokenizer": config["tokenizer"] and config["tokenizer"][0],
        "sources": [_source(data, stage, name) for stage, name in sorted(version.manifest["inputs"].items())],
        "removed": _removed(facts, tasks),
        "reviews_outdated": facts["reviews_outdated"],
        "test_digest": facts["test_digest"],
        "test_split": {task: said for task, said in facts["test_split"].items() if task in tasks},
        "balance": facts["balance"],
        "synthetic": _synthetic(data, version.name),
        "gate": _gate(data, version.name),
        "erasures": version.manifest.get("erasures", 0),
        "rules": {name: config["curation"][name] for name in _RULES},
    }


def _counts(examples: Sequence[Example]) -> dict[str, Any]:
    splits = collections.Counter(e.split for e in examples)
    return {
        "examples": len(examples),
        **{split: splits[split] for split in ("train", "validation", "test")},
        "patients": len({e.patient_ref for e in examples}),
        "documents": len({ref for e in examples for ref in e.document_refs}),
        "tokens": sum((e.prompt_tokens or 0) + (e.answer_tokens or 0) for e in examples),
        "longest_tokens": max(((e.prompt_tokens or 0) + (e.answer_tokens or 0) for e in examples), default=0),
        "reviewed": sum(e.reviewer is not None for e in examples),
    }


def _source(data: Path, stage: str, name: str) -> dict[str, Any]:
    try:
        made = load(data, stage, name)
    except FileNotFoundError:
        return {"version": name, **dict.fromkeys(("documents", "withheld", "patients", "identifiers", "policy", "basis"), NOT_RECORDED)}  # fmt: skip
    policy = made.facts["policy"]
    return {
        "version": name,
        "documents": made.facts["documents"],
        "withheld": made.facts["withheld"],
        "patients": made.facts["patients"],
        "identifiers": made.facts["spans"],
        "policy": policy["policy"],
        "basis": policy["basis"],
    }


def _removed(facts: Mapping[str, Any], tasks: Sequence[str]) -> dict[str, int]:
    total: collections.Counter[str] = collections.Counter()
    for task, rules in facts["removed_by_task"].items():
        if task in tasks:
            total.update(rules)
    return dict(sorted(total.items()))


def _synthetic(data: Path, name: str) -> list[dict[str, Any]]:
    """The synthetic versions that were made from this one."""
    found = []
    for path in sorted((data / "synthetic").glob("[!.]*/manifest.json")):
        made = load(data, "synthetic", path.parent.name)
        if made.manifest["inputs"].get("curated") == name:
            names = ("generator", "candidates", "accepted", "refused", "share")
            facts = {n: made.facts[n] for n in names}
            found.append({"version": made.name, **facts, "ablation": _ablation(data, made.name)})
    return found


def _ablation(data: Path, synthetic: str) -> str | None:
    """What `preceptor data ablation` said of synthetic rows: its verdict and gain; None where it was not asked."""
    for path in (data / "ablation").glob("[!.]*/manifest.json"):
        made = load(data, "ablation", path.parent.name)
        if made.manifest["inputs"]["synthetic"] == synthetic:
            return f"{made.facts['verdict']} (validation loss {-made.facts['gain']:+.4f})"
    return None


def _gate(data: Path, name: str) -> dict[str, Any] | None:
    verdict = known_verdict(data, _SUITE, name)
    return (
        {"passed": verdict.passed, "rules": len(verdict.results), "failures": verdict.failures}
        if verdict
        else None
    )


def limits(facts: Mapping[str, Any]) -> dict[str, str]:
    """What a reader should not conclude, from the figures themselves."""
    total = facts["total"]
    said = {
        "References": f"{total['reviewed']} of {total['examples']} were looked at by a clinician for this data set; the others "
        "are what the record says.",
        "De-identification": "misses some identifiers; see the risk report of each source version.",
    }
    warned = [f"{field} {group}" for field, group, _ in lacking(facts["balance"])]
    if warned:
        said["Groups"] = f"missing or thin against the declared population: {', '.join(warned)}."
    if facts["erasures"]:
        said["Erasure"] = (
            f"rows of erased patients were dropped from it {facts['erasures']} times; the counts above are of now."
        )
    thin = [task for task, c in facts["use_cases"].items() if c["test"] < 30]
    if thin:
        said["Test split"] = f"under 30 cases for {', '.join(thin)}: differences there are seldom shown."
    return said
