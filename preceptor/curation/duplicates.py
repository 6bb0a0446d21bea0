"""Near-duplicates by MinHash and locality-sensitive hashing (Broder 1997)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xxhash

from preceptor.curation.shingles import Shingles, shingles

_PERMUTATIONS = 128
_RECALL = 0.99  # of the pairs at the threshold; further above it nearly all
_LOWER = np.uint64(0xFFFFFFFF)
Bands = npt.NDArray[np.uint64]


def near_duplicates(texts: Sequence[str], jaccard: float) -> list[int | None]:
    """For each text the index of an earlier one that it nearly repeats, or None.

    Candidates share a band of their sketches and are confirmed by the true Jaccard similarity of their shingles. Only texts
    that share a band with another are kept in an index: datasketch's own takes 10 kB for every text.
    """
    bands = _bands(texts, jaccard)
    shared = _in_company(bands)
    index: dict[tuple[int, int], list[int]] = defaultdict(list)
    sets: dict[int, Shingles] = {}
    found: list[int | None] = []
    for i, text in enumerate(texts):
        mine = [(int(band), int(bands[i, band])) for band in np.flatnonzero(shared[i])]
        words = shingles(text) if mine else None
        likely = sorted({j for key in mine for j in index[key]})
        same = next((j for j in likely if words is not None and _jaccard(words, sets[j]) >= jaccard), None)
        found.append(same)
        if same is None and words is not None:
            sets[i] = words
            for key in mine:
                index[key].append(i)
    return found


def _bands(texts: Sequence[str], jaccard: float) -> Bands:
    """For each text the hashes of the bands of its MinHash sketch: (texts, bands)."""
    from datasketch import MinHash

    rows = _rows(jaccard)
    count = _PERMUTATIONS // rows
    found = np.empty((len(texts), count), np.uint64)
    for i, text in enumerate(texts):
        # The shingles are hashes already; MinHash works with the lower half of each.
        sketch = MinHash(num_perm=_PERMUTATIONS, seed=1, hashfunc=int)
        sketch.update_batch((shingles(text) & _LOWER).tolist())
        values = sketch.hashvalues[: count * rows].reshape(count, rows)
        found[i] = [xxhash.xxh64_intdigest(band.tobytes()) for band in values]
    return found


def _rows(jaccard: float) -> int:
    """Rows a band: as many as still find `_RECALL` of the pairs at the threshold, which saves comparisons.

    (datasketch chooses 13 of 128 for 0.8, and would find 40 % of such pairs.)
    """
    return next((r for r in range(16, 1, -1) if 1 - (1 - jaccard**r) ** (_PERMUTATIONS // r) >= _RECALL), 1)


def _in_company(bands: Bands) -> npt.NDArray[np.bool_]:
    """Which bands of each text another text has, too."""
    shared = np.zeros(bands.shape, bool)
    for band in range(bands.shape[1] if len(bands) else 0):
        _, which, counts = np.unique(bands[:, band], return_inverse=True, return_counts=True)
        shared[:, band] = counts[which] > 1
    return shared


def _jaccard(a: Shingles, b: Shingles) -> float:
    both = len(np.intersect1d(a, b, assume_unique=True))
    return both / (len(a) + len(b) - both)
