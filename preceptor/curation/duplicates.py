"""Near-duplicates by MinHash and locality-sensitive hashing (Broder 1997), and overlap with the test split."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from preceptor.curation.quality import words
from preceptor.errors import UsageError
from preceptor.settings import resolve_path

_PERMUTATIONS = 128
_SHINGLE = 5  # words
_LOWER = np.uint64(0xFFFFFFFF)
Shingles = npt.NDArray[np.uint64]


def shingles(text: str, n: int = _SHINGLE) -> Shingles:
    """The runs of `n` words of a text, each as a 64-bit hash, sorted, none twice; the whole text if it is shorter.

    Two runs in 100,000 notes share a hash by chance once in a few thousand times.
    """
    found = words(text)
    runs = [" ".join(found[i : i + n]) for i in range(max(1, len(found) - n + 1))]
    return np.unique(np.array([xxhash.xxh64_intdigest(run.encode()) for run in runs], np.uint64))


def near_duplicates(texts: Sequence[str], jaccard: float) -> list[int | None]:
    """For each text the index of an earlier one that it nearly repeats, or None.

    Candidates come from the hash index and are confirmed by the true Jaccard similarity of their shingles.
    """
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=jaccard, num_perm=_PERMUTATIONS)
    sets: list[Shingles | None] = []
    found: list[int | None] = []
    for i, text in enumerate(texts):
        mine = shingles(text)
        # The shingles are hashes already; MinHash works with the lower half of each.
        sketch = MinHash(num_perm=_PERMUTATIONS, seed=1, hashfunc=int)
        sketch.update_batch((mine & _LOWER).tolist())
        likely = sorted(int(key) for key in index.query(sketch))
        same = next((j for j in likely if _jaccard(mine, sets[j]) >= jaccard), None)
        found.append(same)
        sets.append(mine if same is None else None)
        if same is None:
            index.insert(str(i), sketch)
    return found


def _jaccard(a: Shingles, b: Shingles | None) -> float:
    if b is None:
        return 0.0
    both = len(np.intersect1d(a, b, assume_unique=True))
    return both / (len(a) + len(b) - both)


def contaminated(texts: Sequence[str], held_out: Iterable[str], n: int) -> list[bool]:
    """For each text whether it shares a run of `n` words with any held-out text."""
    parts = [shingles(text, n) for text in held_out if len(words(text)) >= n]
    forbidden = np.unique(np.concatenate(parts)) if parts else np.empty(0, np.uint64)
    return [len(forbidden) > 0 and len(words(t)) >= n and _any_of(shingles(t, n), forbidden) for t in texts]


def _any_of(marks: Shingles, known: Shingles) -> bool:
    """Whether two sorted arrays have a value in common."""
    places = np.minimum(np.searchsorted(known, marks), len(known) - 1)
    return bool((known[places] == marks).any())


def benchmark_texts(files: Iterable[str]) -> Iterator[str]:
    """Every text of the cases of benchmarks: JSON Lines, plain or in gzip, texts at any depth.

    Raises `UsageError` for a file that is missing or not that.
    """
    for name in files:
        path = resolve_path(name)
        try:
            with gzip.open(path, "rt") if path.suffix == ".gz" else path.open(encoding="utf-8") as stream:
                for line in stream:
                    yield from _texts(json.loads(line) if line.strip() else None)
        except FileNotFoundError:
            raise UsageError(
                f"{path}: this benchmark of curation.decontaminate_against is not there (rule benchmark-missing)."
            ) from None
        except (OSError, UnicodeDecodeError, json.JSONDecodeError):
            raise UsageError(f"{path}: a benchmark is JSON Lines (rule benchmark-not-jsonl).") from None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)
