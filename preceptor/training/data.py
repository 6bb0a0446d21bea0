"""From data set versions to what the trainer reads: questions with an answer, with two, or notes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from preceptor import canaries
from preceptor.canaries import Canary
from preceptor.errors import PreceptorError
from preceptor.tables import EXAMPLES
from preceptor.training.notes import NOTES
from preceptor.training.recipe import Recipe
from preceptor.training.sampling import sampled

_COLUMNS = [
    "example_id",
    "task",
    "specialty",
    "split",
    "prompt",
    "answer",
    "provenance",
    "weight",
    "replaced",
]


@dataclass(frozen=True, slots=True)
class Material:
    """A `datasets.Dataset` to train and one to validate on, how many training rows were too long to be shown, and of
    answers the use case of each validation row; `canaries` are among the rows to train, never among the others."""

    train: Any
    validation: Any
    too_long: int
    tasks: tuple[str, ...] = ()
    canaries: tuple[Canary, ...] = ()


def material(folders: list[Path], recipe: Recipe, tokenizer: Any) -> Material:
    """What the recipe's objective reads from the folders of data set versions.

    Raises `PreceptorError` where there is nothing to train on, or a canary does not fit.
    """
    planted = tuple(
        canaries.drawn(
            recipe.canaries.count,
            recipe.canaries.repeats,
            [recipe.seed, sorted(folder.name for folder in folders)],
        )
    )
    if recipe.objective == "notes":
        texts = [row["answer"] for row in canaries.rows(planted)]
        train = load_notes(folders, "train", texts)
        return Material(train, load_notes(folders, "validation"), 0, canaries=planted)
    longest = recipe.batch.max_length
    more = _canary_rows(planted, tokenizer, longest)
    shown = [*sampled(load_examples(folders, "train"), recipe.sampling, recipe.seed), *more]
    held_out = load_examples(folders, "validation")
    if recipe.objective == "answers":
        train, too_long = to_chats(shown, tokenizer, longest)
        kept, _ = _fitting(held_out, tokenizer, longest)
        return Material(train, _chats(kept), too_long, tuple(row["task"] for row in kept), planted)
    train, too_long = to_preferences(shown, tokenizer, longest)
    validation, _ = to_preferences(held_out, tokenizer, longest)
    if not len(train):
        raise PreceptorError(
            "No training example has been corrected by a clinician (rule no-preferences): `preceptor data review` takes "
            "corrections."
        )
    return Material(train, validation, too_long, canaries=planted)


def _canary_rows(planted: Sequence[Canary], tokenizer: Any, longest: int) -> list[dict[str, Any]]:
    """Their rows; a preference has a wrong secret to reject. One that were left out as too long would be measured as forgotten."""
    found = canaries.rows(planted)
    wrong = canaries.fillings(len(found), 0)
    for row, text in zip(found, wrong, strict=True):
        row["replaced"] = text
    if found and len(_fitting_rows(found, tokenizer, longest)) < len(found):
        raise PreceptorError(
            f"A canary is longer than {longest} tokens (rule canary-too-long). Raise batch.max_length in the recipe, or "
            "set canaries.count to 0."
        )
    return found


def load_notes(folders: list[Path], split: str, more: Sequence[str] = ()) -> Any:
    """The notes of a split, whole, and then `more` texts, as a `datasets.Dataset` of texts; the trainer cuts long ones into several packs."""
    import pyarrow.parquet as pq
    from datasets import Dataset

    tables = [pq.read_table(file) for folder in folders if (file := folder / NOTES).exists()]
    rows = [row for table in tables for row in table.to_pylist() if row["split"] == split]
    texts = [r["text"] for r in sorted(rows, key=lambda r: r["document_ref"])]
    return Dataset.from_list([{"text": text} for text in (*texts, *more)])


def to_preferences(rows: Sequence[Mapping[str, Any]], tokenizer: Any, max_length: int) -> tuple[Any, int]:
    """Return a `datasets.Dataset` of what a clinician wrote (chosen) and what it replaced (rejected), and how many of
    these were too long."""
    from datasets import Dataset

    kept, too_long = [], 0
    for row in rows:
        if row["replaced"] is None:
            continue
        question = [{"role": "user", "content": row["prompt"]}]
        answers = {
            name: [{"role": "assistant", "content": text}]
            for name, text in (("chosen", row["answer"]), ("rejected", row["replaced"]))
        }
        longest = max(
            len(tokenizer.apply_chat_template(question + answer, return_dict=False))
            for answer in answers.values()
        )
        if longest > max_length:
            too_long += 1
        else:
            kept.append({"prompt": question, **answers})
    return Dataset.from_list(kept), too_long


def load_examples(folders: list[Path], split: str) -> list[dict[str, Any]]:
    """Rows of `split` from each folder's examples.parquet, in a fixed order."""
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = []
    for folder in folders:
        if not (folder / EXAMPLES).exists():
            continue
        table = pq.read_table(folder / EXAMPLES, columns=_COLUMNS)
        rows += [row for row in table.to_pylist() if row["split"] == split]
    return sorted(rows, key=lambda row: row["example_id"])


def to_chats(rows: Sequence[Mapping[str, Any]], tokenizer: Any, max_length: int) -> tuple[Any, int]:
    """Return a `datasets.Dataset` of prompt and completion messages, and how many rows were too long.

    A row longer than `max_length` tokens is left out and counted: cut off, it would teach half an answer, or lose
    its answer whole and vanish without a word inside the trainer.
    """
    kept, too_long = _fitting(rows, tokenizer, max_length)
    return _chats(kept), too_long


def _fitting(
    rows: Sequence[Mapping[str, Any]], tokenizer: Any, max_length: int
) -> tuple[list[Mapping[str, Any]], int]:
    kept = _fitting_rows(rows, tokenizer, max_length)
    if rows and not kept:
        raise PreceptorError(
            f"All {len(rows)} examples are longer than {max_length} tokens (rule example-too-long). Raise "
            "batch.max_length in the recipe."
        )
    return kept, len(rows) - len(kept)


def _fitting_rows(
    rows: Sequence[Mapping[str, Any]], tokenizer: Any, max_length: int
) -> list[Mapping[str, Any]]:
    def length(row: Mapping[str, Any]) -> int:
        chat = _chat(row)
        return len(tokenizer.apply_chat_template(chat["prompt"] + chat["completion"], return_dict=False))

    return [row for row in rows if length(row) <= max_length]


def _chats(rows: Sequence[Mapping[str, Any]]) -> Any:
    from datasets import Dataset

    return Dataset.from_list([_chat(row) for row in rows])


def _chat(row: Mapping[str, Any]) -> dict[str, list[dict[str, str]]]:
    return {
        "prompt": [{"role": "user", "content": row["prompt"]}],
        "completion": [{"role": "assistant", "content": row["answer"]}],
    }
