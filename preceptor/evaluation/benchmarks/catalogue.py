"""The benchmarks that recipes/benchmarks.yaml declares."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from preceptor.errors import UsageError
from preceptor.settings import ROOT, read_as

CATALOGUE = ROOT / "recipes" / "benchmarks.yaml"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Published(_Part):
    """A figure read in a publication, in points of 100; `source` is a key of the file's sources."""

    what: str
    value: float
    source: str


class Hub(_Part):
    """A data set on the Hugging Face hub."""

    path: str
    split: str
    name: str | None = None


class Benchmark(_Part):
    """One benchmark; recipes/benchmarks.yaml explains each key."""

    title: str
    form: Literal["choice", "note"]
    files: tuple[str, ...]
    cases: int
    prompt: str
    choices: tuple[str, ...] = ()
    harness: str | None = None  # the task of lm-evaluation-harness that the prompt is equal to
    hub: Hub | None = None
    where: str | None = None  # where its data come from, if not from the hub
    subject: str = ""
    unsplit: bool = (
        False  # it has no test split of its own: what was trained on any of it may know the answers
    )
    published: tuple[Published, ...] = ()


class _File(_Part):
    sources: dict[str, str]
    benchmarks: dict[str, Benchmark]


@cache
def _read(path: Path) -> _File:
    found = read_as(path, _File)
    for name, benchmark in found.benchmarks.items():
        for figure in benchmark.published:
            if figure.source not in found.sources:
                raise UsageError(f"{path}: {name} cites {figure.source!r}, which is not among its sources.")
    return found


def load_benchmarks(path: Path = CATALOGUE) -> dict[str, Benchmark]:
    """Return the benchmarks by name. Raises `UsageError` if the file is wrong."""
    return _read(path).benchmarks


def citation(source: str, path: Path = CATALOGUE) -> str:
    """Return the publication that a figure's `source` stands for."""
    return _read(path).sources[source]


def chosen(names: Sequence[str]) -> dict[str, Benchmark]:
    """Return these benchmarks in their order, each once. Raises `UsageError` for a name that there is not."""
    known = load_benchmarks()
    for name in names:
        if name not in known:
            raise UsageError(f"There is no benchmark {name!r}: there are {', '.join(known)}.")
    return {name: known[name] for name in names}
