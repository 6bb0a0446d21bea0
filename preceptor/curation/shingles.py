"""Runs of words as hashes: what duplicates, repetition and overlap are measured by."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import xxhash

from preceptor.curation.quality import words

_SHINGLE = 5  # words
Shingles = npt.NDArray[np.uint64]


def shingles(text: str, n: int = _SHINGLE) -> Shingles:
    """The runs of `n` words of a text, each as a 64-bit hash, sorted, none twice; the whole text if it is shorter.

    Two runs in 100,000 notes share a hash by chance once in a few thousand times.
    """
    return np.unique(runs(text, n))


def runs(text: str, n: int) -> Shingles:
    """The same in the order of the text, with repetitions."""
    found = words(text)
    joined = [" ".join(found[i : i + n]) for i in range(max(1, len(found) - n + 1))]
    return np.array([xxhash.xxh64_intdigest(run.encode()) for run in joined], np.uint64)
