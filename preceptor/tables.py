"""The Parquet tables that pass between stages: one schema each, written and read here only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any

from preceptor.records import DeidentifiedDocument, Example, Labels

DOCUMENTS = "documents.parquet"
EXAMPLES = "examples.parquet"


def write_documents(path: Path, documents: Iterable[DeidentifiedDocument]) -> None:
    """Write de-identified documents."""
    rows = [
        {
            **{f.name: getattr(d, f.name) for f in fields(d) if f.name != "labels"},
            "labels": d.labels.to_json(),
        }
        for d in documents
    ]
    write_rows(path, rows, {f.name: "string" for f in fields(DeidentifiedDocument)})


def read_documents(path: Path) -> list[DeidentifiedDocument]:
    """Read what `write_documents` wrote."""
    return [
        DeidentifiedDocument(**{**row, "labels": Labels.from_json(row["labels"])}) for row in read_rows(path)
    ]


def write_examples(path: Path, examples: Iterable[Example]) -> None:
    """Write examples, clinical or synthetic."""
    rows = [{f.name: getattr(e, f.name) for f in fields(e)} for e in examples]
    kinds = {
        "document_refs": "list",
        "seeds": "list",
        "prompt_tokens": "int",
        "answer_tokens": "int",
        "weight": "float",
    }
    write_rows(path, rows, {f.name: kinds.get(f.name, "string") for f in fields(Example)})


def read_examples(path: Path) -> list[Example]:
    """Read what `write_examples` wrote."""
    return [
        Example(**{**row, "document_refs": tuple(row["document_refs"]), "seeds": tuple(row["seeds"])})
        for row in read_rows(path)
    ]


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a Parquet file as plain values."""
    import pyarrow.parquet as pq

    return pq.read_table(path).to_pylist()


def write_rows(path: Path, rows: list[dict[str, Any]], columns: dict[str, str]) -> None:
    """Write rows with the columns named; a column is `string`, `list` (of strings), `int` or `float`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"string": pa.string(), "list": pa.list_(pa.string()), "int": pa.int64(), "float": pa.float64()}
    schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])
    plain = [{k: list(v) if isinstance(v, tuple) else v for k, v in row.items()} for row in rows]
    pq.write_table(pa.Table.from_pylist(plain, schema=schema), path)
