"""From data set versions to what the trainer reads: chats of one question and one answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from preceptor.errors import PreceptorError

_COLUMNS = ["example_id", "task", "specialty", "split", "prompt", "answer", "provenance", "weight"]


def load_examples(folders: list[Path], split: str) -> list[dict[str, Any]]:
    """Rows of `split` from each folder's examples.parquet, in a fixed order."""
    import pyarrow.parquet as pq

    rows: list[dict[str, Any]] = []
    for folder in folders:
        table = pq.read_table(folder / "examples.parquet", columns=_COLUMNS)
        rows += [row for row in table.to_pylist() if row["split"] == split]
    return sorted(rows, key=lambda row: row["example_id"])


def to_chats(rows: Sequence[Mapping[str, Any]], tokenizer: Any, max_length: int) -> tuple[Any, int]:
    """Return a `datasets.Dataset` of prompt and completion messages, and how many rows were too long.

    A row longer than `max_length` tokens is left out and counted: cut off, it would teach half an answer, or lose
    its answer whole and vanish without a word inside the trainer.
    """
    from datasets import Dataset

    kept, too_long = [], 0
    for row in rows:
        chat = {
            "prompt": [{"role": "user", "content": row["prompt"]}],
            "completion": [{"role": "assistant", "content": row["answer"]}],
        }
        ids = tokenizer.apply_chat_template(chat["prompt"] + chat["completion"], return_dict=False)
        if len(ids) > max_length:
            too_long += 1
        else:
            kept.append(chat)
    if rows and not kept:
        raise PreceptorError(
            f"All {len(rows)} examples are longer than {max_length} tokens (rule example-too-long). Raise "
            "batch.max_length in the recipe."
        )
    return Dataset.from_list(kept), too_long
