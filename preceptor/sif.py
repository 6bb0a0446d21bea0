"""Texts as means of word vectors, for what says nearly the same in other words: resemblance in curation, search in evaluation.

A text is the mean of its words' vectors, the frequent ones weighing less and what all texts share taken away (SIF: Arora,
Liang & Ma 2017, "A simple but tough-to-beat baseline for sentence embeddings"). The vectors are those of the tagger of
de-identification; no model is loaded.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from preceptor.deid.tagger.meanings import meaning_rows, vectors

Matrix = npt.NDArray[np.float32]
FEW = 16  # texts; of fewer nobody can say what they share
_WORD = re.compile(r"[^\W\d_]+")
_FREQUENT = 1e-3  # a word this frequent weighs half: `a` of the paper


def words(text: str) -> list[str]:
    """The words of a text in small letters; vectors do not know numbers."""
    return _WORD.findall(text.lower())


class Sif:
    """Says by a corpus, each text as its words, which words are frequent; and, from 16 texts on, what beside them all share."""

    def __init__(self, corpus: Sequence[Sequence[str]]) -> None:
        self._vectors = vectors()
        self._row = cache(lambda word: meaning_rows(word)[0])
        self._counts = Counter(word for text in corpus for word in text)
        self._total = max(1, self._counts.total())
        self._shared = np.zeros(self._vectors.shape[1], np.float32)
        if len(corpus) >= FEW:
            means = np.stack([self._mean(text) for text in corpus])
            _, directions = np.linalg.eigh((means.T @ means).astype(np.float64))
            self._shared = directions[:, -1].astype(np.float32)

    def units(self, texts: Sequence[Sequence[str]]) -> Matrix:
        """Return (texts, 64), each row of length 1; a text without a word is zeros."""
        rows = np.zeros((len(texts), len(self._shared)), np.float32)
        for place, text in enumerate(texts):
            mean = self._mean(text)
            mean = mean - (mean @ self._shared) * self._shared
            rows[place] = mean / max(float(np.linalg.norm(mean)), 1e-9)
        return rows

    def _mean(self, text: Sequence[str]) -> Matrix:
        if not text:
            return np.zeros(self._vectors.shape[1], np.float32)
        rows = np.fromiter((self._row(word) for word in text), np.int64, len(text))
        counts = np.fromiter((self._counts.get(word, 1) for word in text), np.float32, len(text))
        weights = _FREQUENT / (_FREQUENT + counts / self._total)
        return (weights @ self._vectors[rows] / len(text)).astype(np.float32)
