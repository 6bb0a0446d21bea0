"""Near-duplicates by MinHash and locality-sensitive hashing (Broder 1997)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from preceptor.curation.shingles import Shingles, shingles

_PERMUTATIONS = 128
_LOWER = np.uint64(0xFFFFFFFF)


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
