"""A batch in portions of whole patients, so that memory stays flat, every core works, and a kill costs one portion.

A finished portion is a folder beside the others in the unfinished version; `merged` makes the version's files of them.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import connection, get_context, parent_process
from pathlib import Path
from typing import Any, TypeVar

PORTION = 256  # documents, or those of one patient who has more
FACTS = "facts.json"
_Task = TypeVar("_Task")


@dataclass(frozen=True, slots=True)
class Portion:
    """Patients from `first` to `last` in order of their references, with this many documents together."""

    number: int
    first: str
    last: str
    documents: int

    @property
    def name(self) -> str:
        return f"portion-{self.number:06d}"


def portions(documents_by_patient: Mapping[str, int], size: int = PORTION) -> list[Portion]:
    """Cut a batch into portions of at least `size` documents, the last one perhaps fewer; an empty one is one portion.

    The same batch, the same cuts.
    """
    found: list[Portion] = [] if documents_by_patient else [Portion(0, "", "", 0)]
    first, count = "", 0
    patients = sorted(documents_by_patient)
    for patient in patients:
        first = first or patient
        count += documents_by_patient[patient]
        if count >= size or patient == patients[-1]:
            found.append(Portion(len(found), first, patient, count))
            first, count = "", 0
    return found


def finished(folder: Path, portion: Portion) -> bool:
    """Whether an earlier run, perhaps a killed one, has made this portion."""
    return (folder / portion.name).exists()


def keep(folder: Path, portion: Portion, write: Callable[[Path], dict[str, Any]]) -> None:
    """Make a portion's folder: `write` puts files into it and returns facts. It is whole or absent."""
    part = folder / f".{portion.name}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    facts = write(part)
    (part / FACTS).write_text(json.dumps(facts), encoding="utf-8")
    part.rename(folder / portion.name)


def merged(folder: Path, wanted: Sequence[Portion]) -> list[dict[str, Any]]:
    """Join the Parquet files of all portions into one each, in `folder`, and drop the portions. Returns their facts."""
    import pyarrow.parquet as pq

    facts = [json.loads((folder / p.name / FACTS).read_text(encoding="utf-8")) for p in wanted]
    for name in sorted(path.name for path in (folder / wanted[0].name).glob("*.parquet")):
        schema = pq.read_schema(folder / wanted[0].name / name)
        with pq.ParquetWriter(folder / name, schema) as writer:
            for portion in wanted:
                writer.write_table(pq.read_table(folder / portion.name / name))
    for portion in wanted:
        shutil.rmtree(folder / portion.name)
    return facts


def summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Counts of several portions together, the most frequent first."""
    total: Counter[str] = Counter()
    for some in counts:
        total.update(some)
    return dict(sorted(total.items(), key=lambda pair: (-pair[1], pair[0])))


def spread(work: Callable[[_Task], int], tasks: Iterable[_Task], workers: int) -> Iterator[int]:
    """Do each task in one of several processes; yield what it returns whenever one is done.

    Tasks are drawn as they are needed, so that few are in memory. An error of a task ends the others.
    """
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_begin)
    waiting: set[Future[int]] = set()
    try:
        for task in tasks:
            waiting.add(pool.submit(work, task))
            if len(waiting) > workers:
                yield from _done(waiting)
        while waiting:
            yield from _done(waiting)
    finally:
        pool.shutdown(cancel_futures=True)


def _done(waiting: set[Future[int]]) -> Iterator[int]:
    done, _ = wait(waiting, return_when=FIRST_COMPLETED)
    for future in done:
        waiting.remove(future)
        yield future.result()


def _begin() -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for tasks for ever."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
