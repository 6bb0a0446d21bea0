"""Near-duplicates by MinHash and locality-sensitive hashing (Broder 1997), and overlap with the test split."""

from __future__ import annotations

from collections.abc import Sequence

from preceptor.curation.quality import words

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


def contaminated(texts: Sequence[str], held_out: Sequence[str], n: int) -> list[bool]:
    """For each text whether it shares a run of `n` words with any held-out text."""
    forbidden: set[str] = set()
    for text in held_out:
        if len(words(text)) >= n:
            forbidden |= shingles(text, n)
    return [len(words(t)) >= n and not shingles(t, n).isdisjoint(forbidden) for t in texts]
