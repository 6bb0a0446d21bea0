"""From a row of a benchmark's data, in the layout of its publisher or of the hub, to what a model is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from preceptor.errors import UsageError
from preceptor.evaluation.benchmarks.catalogue import Benchmark
from preceptor.versions import digest

LETTERS = "abcd"


@dataclass(frozen=True, slots=True)
class Item:
    """One case: `prompt`, and either the place of the right one among the benchmark's choices or a reference text."""

    item_id: str
    prompt: str
    gold: int = -1
    reference: str = ""


def items_of(
    name: str, benchmark: Benchmark, rows: Sequence[Mapping[str, Any]], where: str, limit: int = 0
) -> list[Item]:
    """Return the cases of a benchmark in the order of its data, the first `limit` of them (0: all).

    Raises `UsageError` naming place and row, never what stands there, for a row without a field that is needed.
    """
    found = []
    for number, row in enumerate(rows[: limit or None], start=1):
        try:
            values = _fields(row) | {"subject": benchmark.subject}
            prompt = benchmark.prompt.format_map(values)
            if benchmark.form == "note":
                item = Item("", prompt, reference=str(values["reference"]))
            else:
                item = Item("", prompt, gold=_place(values["answer"], benchmark.choices))
        except (KeyError, ValueError, IndexError, TypeError) as error:
            lacking = error.args[0] if isinstance(error, KeyError) else "the answer"
            raise UsageError(
                f"{where}, row {number}: {lacking!r} is missing or not as expected for {name}. "
                "docs/evaluation-benchmarks.md lists the fields of every benchmark."
            ) from None
        item_id = str(row.get("id") or row.get("pubid") or f"{name}-{number:05d}")
        found.append(Item(item_id, item.prompt, item.gold, item.reference))
    if not found:
        raise UsageError(f"{where} holds no case of {name}.")
    return found


def content(items: Sequence[Item]) -> str:
    """Return the digest of what is asked and what is right."""
    return digest([[i.prompt, i.gold, i.reference] for i in items])


def _fields(row: Mapping[str, Any]) -> dict[str, Any]:
    """The values that prompts name, whichever of the known layouts the row has; what it lacks stays away."""
    values: dict[str, Any] = dict(row)
    question = _first(row, "question", "QUESTION", "sent1")
    if question is not None:
        values["question"] = str(question).strip() if "choices" in row else str(question)
    inner = row["context"] if isinstance(row.get("context"), Mapping) else row
    contexts = _first(inner, "contexts", "CONTEXTS")
    if contexts is not None:
        values["context"] = "\n".join(contexts)
    options = _options(row)
    if options is not None:
        values |= dict(zip(LETTERS, options, strict=True))
    answer = _first(row, "final_decision", "cop", "label", "answer_idx", "answer")
    if answer is not None:
        values["answer"] = answer
    reference = _first(row, "reference", "section_text", "note")
    if reference is not None:
        values["reference"] = reference
    section = _first(row, "section", "section_header")
    if section is not None:
        values["section"] = section
    return values


def _options(row: Mapping[str, Any]) -> list[str] | None:
    if "choices" in row:
        return list(row["choices"])
    if isinstance(row.get("options"), Mapping):
        return [row["options"][letter.upper()] for letter in LETTERS]
    for names in (("opa", "opb", "opc", "opd"), ("ending0", "ending1", "ending2", "ending3")):
        if names[0] in row:
            return [row[name] for name in names]
    return None


def _first(row: Mapping[str, Any], *names: str) -> Any:
    return next((row[name] for name in names if row.get(name) is not None), None)


def _place(answer: Any, choices: Sequence[str]) -> int:
    """The place of an answer that is given by its number from 0, or as the choice itself."""
    place = choices.index(answer) if isinstance(answer, str) else int(answer)
    if not 0 <= place < len(choices):
        raise ValueError(place)
    return place
