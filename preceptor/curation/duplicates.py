"""Near-duplicates by MinHash and locality-sensitive hashing (Broder 1997), and overlap with the test split."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from preceptor.curation.quality import words
from preceptor.errors import UsageError
from preceptor.settings import resolve_path

_PERMUTATIONS = 128
_SHINGLE = 5  # words


def shingles(text: str, n: int = _SHINGLE) -> set[str]:
    """The runs of `n` words of a text; the whole text if it is shorter."""
    found = words(text)
    if len(found) < n:
        return {" ".join(found)}
    return {" ".join(found[i : i + n]) for i in range(len(found) - n + 1)}


def near_duplicates(texts: Sequence[str], jaccard: float) -> list[int | None]:
    """For each text the index of an earlier one that it nearly repeats, or None.

    Candidates come from the hash index and are confirmed by the true Jaccard similarity of their shingles.
    """
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=jaccard, num_perm=_PERMUTATIONS)
    sets = [shingles(t) for t in texts]
    found: list[int | None] = []
    for i, items in enumerate(sets):
        sketch = MinHash(num_perm=_PERMUTATIONS, seed=1)
        sketch.update_batch([s.encode() for s in items])
        likely = sorted(int(key) for key in index.query(sketch))
        same = next((j for j in likely if len(items & sets[j]) >= jaccard * len(items | sets[j])), None)
        found.append(same)
        if same is None:
            index.insert(str(i), sketch)
    return found


def contaminated(texts: Sequence[str], held_out: Iterable[str], n: int) -> list[bool]:
    """For each text whether it shares a run of `n` words with any held-out text."""
    forbidden: set[str] = set()
    for text in held_out:
        if len(words(text)) >= n:
            forbidden |= shingles(text, n)
    return [len(words(t)) >= n and not shingles(t, n).isdisjoint(forbidden) for t in texts]


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
