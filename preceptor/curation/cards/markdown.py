"""The data card as a Hugging Face dataset card, its sections after Gebru et al. 2021 (Datasheets for Datasets,
doi:10.1145/3458723)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from preceptor.curation.cards.facts import limits

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def markdown(facts: Mapping[str, Any]) -> str:
    """The Hugging Face dataset card."""
    total = facts["total"]
    parts = [
        _front_matter(facts),
        f"# Data card: {facts['version']}",
        "Instruction data made from de-identified clinical documents. **Not for publication**: it holds de-identified text of "
        "patients, and is used under the basis below and nothing else.",
        "## What is in it",
        _table(
            ("use case", "train", "validation", "test", "patients", "tokens", "reviewed"),
            [
                (f"{task}: {c['title']}", c["train"], c["validation"], c["test"], c["patients"], c["tokens"], c["reviewed"])
                for task, c in facts["use_cases"].items()
            ]
            + [("all", total["train"], total["validation"], total["test"], total["patients"], total["tokens"], total["reviewed"])],
        ),
        f"Tokens are those of {facts['tokenizer']}, without its chat template." if facts["tokenizer"] else "",
        "## Licence and consent",
        _table(("basis", "examples"), facts["basis"].items()),
        "## Where it is from",
        _table(
            ("version", "documents", "withheld", "patients", "identifiers replaced", "policy", "basis"),
            [
                (s["version"], s["documents"], s["withheld"], s["patients"], s["identifiers"], s["policy"], s["basis"])
                for s in facts["sources"]
            ],
        ),
        "## What was removed",
        _table(("rule", "drafts"), facts["removed"].items()) if facts["removed"] else "Nothing.",
        _bullets({name.replace("_", " "): value for name, value in facts["rules"].items()}),
        "## Split",
        f"By patient. Digest of the test cases: `{facts['test_digest']}`.",
        _table(
            ("use case", "frozen test cases", "present", "rewritten since"),
            [(task, s["frozen"], s["present"], s["rewritten"]) for task, s in facts["test_split"].items()],
        ),
        "## Who and what is in it",
        *(_group(field, groups) for field, groups in facts["balance"].items()),
        "## Synthetic examples made from it" if facts["synthetic"] else "",
        _table(
            ("version", "generator", "candidates", "accepted", "refused by rule", "share of train", "ablation"),
            [
                (s["version"], s["generator"], s["candidates"], s["accepted"],
                 ", ".join(f"{rule} {n}" for rule, n in s["refused"].items()), s["share"], s["ablation"] or "not measured")
                for s in facts["synthetic"]
            ],
        ) if facts["synthetic"] else "",
        "## Quality gate",
        _said_of_gate(facts["gate"]),
        "## What it does not show",
        _bullets(limits(facts)),
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part) + "\n"


def _said_of_gate(gate: Mapping[str, Any] | None) -> str:
    if gate is None:
        return "Not judged yet."
    return f"Passed, {gate['rules']} rules." if gate["passed"] else f"Failed: {'; '.join(gate['failures'])}."


def _front_matter(facts: Mapping[str, Any]) -> str:
    import yaml

    size = next((name for limit, name in _SIZES if facts["total"]["examples"] < limit), "n>1M")
    head = {
        "pretty_name": f"Preceptor curated {facts['version']}",
        "language": [facts["language"]],
        "license": "other",
        "license_name": "see-basis",
        "tags": ["clinical", "de-identified", "instruction-tuning"],
        "task_categories": ["text-generation"],
        "size_categories": [size],
    }
    return f"---\n{yaml.safe_dump(head, sort_keys=False).strip()}\n---"


def _group(field: str, groups: Mapping[str, Any]) -> str:
    rows = [
        (
            group,
            row["train"],
            row["validation"],
            row["test"],
            row["patients"],
            row["share"],
            "" if row["target"] is None else row["target"],
            row.get("warning", ""),
        )
        for group, row in groups.items()
    ]
    return f"### {field.capitalize()}\n\n" + _table(
        ("group", "train", "validation", "test", "patients", "share of train", "population", ""), rows
    )


def _table(header: Sequence[str], rows: Any) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(c).replace("|", "/") for c in line) + " |" for line in lines)


def _bullets(said: Mapping[str, Any]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in said.items())
