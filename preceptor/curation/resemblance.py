"""Which texts say nearly the same in other words, by word vectors: what runs of words cannot see.

A text is the mean of its words' vectors, the frequent ones weighing less and what all texts share taken away (SIF: Arora,
Liang & Ma 2017, "A simple but tough-to-beat baseline for sentence embeddings"). The vectors are those of the tagger of
de-identification; no model is loaded. It is coarse: docs/curation.md has what it was measured to find.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from preceptor.deid.tagger.meanings import meaning_rows, vectors

Matrix = npt.NDArray[np.float32]
_WORD = re.compile(r"[^\W\d_]+")
_MARK = re.compile(r"\w*\d[\w.,/]*\b")  # numbers, and what has a digit: vectors do not know them
_MARKS_SHARED = 0.5  # of those of the text that has fewer, where it has three: the same form, other values, is another case
_FREQUENT = 1e-3  # a word this frequent weighs half: `a` of the paper
_FEWEST = 40  # words; two short texts are alike by their topic
_FEW = 16  # texts of a corpus: of fewer nobody can say what they share, and then all are alike
_BLOCK = 512  # texts
_SAMPLE = 5000  # texts of the corpus, evenly: enough to know what is frequent and what is shared


class Resemblance:
    """Held-out texts against which others are held; `corpus` says which words, and what beside them, all texts share. With
    fewer than 16 texts of 40 words in it nothing is found."""

    def __init__(self, held_out: Iterable[str], corpus: Iterable[str], threshold: float) -> None:
        self._threshold = threshold
        self._vectors = vectors()
        self._rows: dict[str, int] = {}
        wanted = [text for text in held_out if threshold <= 1 and len(_words(text)) >= _FEWEST]
        texts = [text for text in corpus if len(_words(text)) >= _FEWEST] if wanted else []
        texts = texts[:: len(texts) // _SAMPLE + 1]
        if len(texts) < _FEW:
            wanted = []
        self._counts: Counter[str] = Counter()
        for text in texts:
            self._counts.update(_words(text))
        self._total = max(1, self._counts.total())
        self._shared = _direction([self._mean(_words(text)) for text in texts], self._vectors.shape[1])
        self._held_out = np.array([self._unit(_words(text)) for text in wanted], np.float32)
        self._marks = [_marks(text) for text in wanted]

    def find(self, texts: Sequence[Sequence[str]]) -> list[bool]:
        """For each text whether a part of it, source or answer, is like a held-out text and has half of its numbers.

        A block at a time: one by one, all held-out vectors would be read anew for each.
        """
        found = [False] * len(texts)
        if not len(self._held_out):
            return found
        parts = [
            (number, part, words)
            for number, text in enumerate(texts)
            for part in text
            if len(words := _words(part)) >= _FEWEST
        ]
        for start in range(0, len(parts), _BLOCK):
            block = parts[start : start + _BLOCK]
            cosines = np.array([self._unit(words) for _, _, words in block]) @ self._held_out.T
            for row, place in np.argwhere(cosines >= self._threshold):
                number, part, _ = block[row]
                found[number] = found[number] or _share_marks(_marks(part), self._marks[place])
        return found

    def _mean(self, words: Sequence[str]) -> Matrix:
        rows = np.fromiter((self._row(word) for word in words), np.int64, len(words))
        counts = np.fromiter((self._counts.get(word, 1) for word in words), np.float32, len(words))
        weights = _FREQUENT / (_FREQUENT + counts / self._total)
        return (weights @ self._vectors[rows] / len(words)).astype(np.float32)

    def _unit(self, words: Sequence[str]) -> Matrix:
        mean = self._mean(words)
        mean = mean - (mean @ self._shared) * self._shared
        return (mean / max(float(np.linalg.norm(mean)), 1e-9)).astype(np.float32)

    def _row(self, word: str) -> int:
        if word not in self._rows:
            self._rows[word] = meaning_rows(word)[0]
        return self._rows[word]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _marks(text: str) -> frozenset[str]:
    return frozenset(_MARK.findall(text.lower()))


def _share_marks(a: frozenset[str], b: frozenset[str]) -> bool:
    fewer = min(len(a), len(b))
    return fewer < 3 or len(a & b) >= _MARKS_SHARED * fewer


def _direction(means: list[Matrix], dimensions: int) -> Matrix:
    """The first principal direction of the means; zeros of none."""
    if not means:
        return np.zeros(dimensions, np.float32)
    stacked = np.stack(means)
    _, directions = np.linalg.eigh((stacked.T @ stacked).astype(np.float64))
    return directions[:, -1].astype(np.float32)
