"""What a provider is given to learn from: chat-format JSONL of the examples that passed their gates, and nothing else."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from preceptor.errors import PreceptorError
from preceptor.records import Example
from preceptor.tables import EXAMPLES, read_examples
from preceptor.versions import DatasetVersion

SPLITS = {"training": "train", "validation": "validation"}  # file -> split; never the test split
LEAST = 10  # training examples; OpenAI and Azure take no fewer
_CHARACTERS_PER_TOKEN = 4  # of English text, OpenAI's own rule of thumb
_AROUND = 10  # tokens that the chat format puts around a question and its answer


@dataclass(frozen=True, slots=True)
class Measured:
    """One file before it is written: `sha256` and `bytes` of what would be sent, `tokens` as estimated."""

    sha256: str
    examples: int
    bytes: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Material:
    """The examples by file, in the order of their ids, and the measure of each file. A file may have no example."""

    examples: dict[str, tuple[Example, ...]]
    measured: dict[str, Measured]

    @property
    def documents(self) -> list[str]:
        """References of the documents that are in it."""
        return sorted({ref for rows in self.examples.values() for row in rows for ref in row.document_refs})


def gather(datasets: Sequence[DatasetVersion]) -> Material:
    """Take the training and the validation split of data set versions with examples.parquet.

    Raises `PreceptorError` for fewer training examples than providers take.
    """
    rows = [example for version in datasets for example in read_examples(version.path / EXAMPLES)]
    rows.sort(key=lambda example: example.example_id)
    by_file = {file: tuple(row for row in rows if row.split == split) for file, split in SPLITS.items()}
    if len(by_file["training"]) < LEAST:
        raise PreceptorError(
            f"There are {len(by_file['training'])} training examples, and providers take {LEAST} or more (rule "
            "too-few-examples). Take in more documents, or train here: preceptor train without --provider."
        )
    return Material(by_file, {file: measure(examples) for file, examples in by_file.items()})


def lines(examples: Sequence[Example]) -> Iterator[bytes]:
    """The examples as the chat format has them, one line each."""
    for example in examples:
        messages = [
            {"role": "user", "content": example.prompt},
            {"role": "assistant", "content": example.answer},
        ]
        yield json.dumps({"messages": messages}, ensure_ascii=False).encode() + b"\n"


def measure(examples: Sequence[Example]) -> Measured:
    """Count and hash what `write` would write, without writing it."""
    told, size = hashlib.sha256(), 0
    for line in lines(examples):
        told.update(line)
        size += len(line)
    return Measured(told.hexdigest(), len(examples), size, sum(_tokens(example) for example in examples))


def write(path: Path, examples: Sequence[Example], expected: Measured) -> None:
    """Write a file that only its owner may read. Raises `PreceptorError` if it is not what was measured."""
    told = hashlib.sha256()
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        for line in lines(examples):
            told.update(line)
            stream.write(line)
    if told.hexdigest() != expected.sha256:
        path.unlink()
        raise PreceptorError(
            "The examples changed while they were written down (rule material-changed): nothing was sent. The same "
            "command begins anew."
        )


def question_tokens(example: Example) -> int:
    """Of the question alone, as `_tokens` counts them."""
    return example.prompt_tokens or math.ceil(len(example.prompt) / _CHARACTERS_PER_TOKEN)


def _tokens(example: Example) -> int:
    """As the base model counts them, where curation noted it; the provider's own tokenizer counts a little otherwise."""
    if example.prompt_tokens is not None and example.answer_tokens is not None:
        return example.prompt_tokens + example.answer_tokens + _AROUND
    return math.ceil(len(example.prompt + example.answer) / _CHARACTERS_PER_TOKEN) + _AROUND
