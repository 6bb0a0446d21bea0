"""The data of a benchmark: from a local folder, or from the Hugging Face hub."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from preceptor.errors import PreceptorError, UsageError
from preceptor.evaluation.benchmarks.catalogue import Benchmark
from preceptor.evaluation.benchmarks.items import Item, items_of

ENDINGS = (".jsonl", ".jsonl.gz", ".json", ".parquet")


def load_items(name: str, benchmark: Benchmark, folder: Path | None, limit: int = 0) -> list[Item]:
    """Return a benchmark's cases, from `folder` if one is given, else from the hub; the first `limit` (0: all).

    `folder` holds a folder of the benchmark's name, or is it. Raises `UsageError` if the file is not there or not as
    expected, `PreceptorError` if the hub does not give it; both name what to get and where to put it.
    """
    if folder is not None:
        path = find_file(name, benchmark, folder)
        return items_of(name, benchmark, read_rows(path), str(path), limit)
    if benchmark.hub is None:
        raise UsageError(f"{_wanted(name, benchmark)} It is not taken from the hub.")
    return items_of(name, benchmark, _from_hub(name, benchmark), benchmark.hub.path, limit)


def find_file(name: str, benchmark: Benchmark, folder: Path) -> Path:
    """Return the file of the benchmark's split: `NAME/SPLIT.jsonl` and the like, or a parquet file of a copy of the hub's
    repository (`NAME/data/SPLIT-00000-of-00001.parquet`). Raises `UsageError` if there is none, or several."""
    within = [folder / name] + ([folder] if folder.name == name else [])
    config = benchmark.hub.name if benchmark.hub else None
    for place in within:
        for split in benchmark.files:
            for ending in ENDINGS:
                if (path := place / f"{split}{ending}").is_file():
                    return path
            for inside in filter(None, (config, "data", ".")):
                shards = sorted((place / inside).glob(f"{split}-*.parquet"))
                if len(shards) > 1:
                    raise UsageError(
                        f"{place / inside} has {len(shards)} files of {split}: join them in one."
                    )
                if shards:
                    return shards[0]
    raise UsageError(f"{folder}: there is no data of {name}. {_wanted(name, benchmark)}")


def read_rows(path: Path) -> Sequence[Mapping[str, Any]]:
    """Return the rows of a JSONL, JSON (a list) or parquet file. Raises `UsageError` naming file and line."""
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        return pq.read_table(path).to_pylist()
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as stream:
        if path.suffix == ".json":
            try:
                rows = json.load(stream)
            except ValueError:
                raise UsageError(f"{path}: this is not JSON.") from None
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise UsageError(f"{path}: a list of objects is expected.")
            return rows
        rows = []
        for number, line in enumerate(stream, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError:
                raise UsageError(f"{path}, line {number}: this is not JSON.") from None
            if not isinstance(row, dict):
                raise UsageError(f"{path}, line {number}: an object is expected.")
            rows.append(row)
        return rows


def _from_hub(name: str, benchmark: Benchmark) -> Sequence[Mapping[str, Any]]:
    import datasets

    hub = benchmark.hub
    assert hub is not None
    datasets.disable_progress_bars()
    try:
        return list(datasets.load_dataset(hub.path, hub.name, split=hub.split))
    except Exception as error:  # the hub's client fails in many ways; all of them mean that there are no data
        raise PreceptorError(
            f"The data of {name} could not be had from the hub ({hub.path}: {type(error).__name__}). "
            f"{_wanted(name, benchmark)}"
        ) from None


def _wanted(name: str, benchmark: Benchmark) -> str:
    origin = (
        f"huggingface.co/datasets/{benchmark.hub.path}"
        + (f" (configuration {benchmark.hub.name})" if benchmark.hub.name else "")
        if benchmark.hub
        else benchmark.where
    )
    return (
        f"Get its split {benchmark.files[0]} from {origin}, put it into DIR/{name}/{benchmark.files[0]}.jsonl (or .jsonl.gz, "
        ".json, .parquet), and name DIR by --benchmark-data or the setting evaluation.benchmark_data; "
        "docs/evaluation-benchmarks.md lists the fields."
    )
