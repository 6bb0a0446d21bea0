"""Texts as vectors of length 1, for search by meaning: from word vectors that ship with Preceptor, or from a model's folder."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from preceptor.deid.tagger.meanings import meaning_rows, vectors
from preceptor.errors import UsageError

Matrix = npt.NDArray[np.float32]
Embed = Callable[[Sequence[str]], Matrix]
_WORD = re.compile(r"[^\W\d_]+")
_FREQUENT = 1e-3  # a word this frequent weighs half: `a` of the paper
_FEW = 16  # texts; of fewer nobody can say what they share
_LONGEST = 256  # tokens that a model reads of a text; sentence models are trained on short ones


class WordVectors:
    """The mean of a text's word vectors, frequent words weighing less and what all texts share taken away (SIF: Arora, Liang &
    Ma 2017). The vectors are those of de-identification's tagger; `corpus` says what is frequent and what is shared."""

    def __init__(self, corpus: Sequence[str]) -> None:
        self._vectors = vectors()
        self._row = cache(lambda word: meaning_rows(word)[0])
        self._counts = Counter(word for text in corpus for word in _WORD.findall(text.lower()))
        self._total = max(1, self._counts.total())
        means = np.stack([self._mean(text) for text in corpus])
        _, directions = np.linalg.eigh((means.T @ means).astype(np.float64))
        self._shared = directions[:, -1] if len(corpus) >= _FEW else np.zeros(means.shape[1])

    def __call__(self, texts: Sequence[str]) -> Matrix:
        """Return (texts, 64); a text without a known word is zeros."""
        means = np.stack([self._mean(text) for text in texts])
        return _units(means - np.outer(means @ self._shared, self._shared))

    def _mean(self, text: str) -> Matrix:
        found = _WORD.findall(text.lower())
        if not found:
            return np.zeros(self._vectors.shape[1], np.float32)
        counts = np.array([self._counts.get(word, 1) for word in found], np.float32)
        weights = _FREQUENT / (_FREQUENT + counts / self._total)
        rows = self._vectors[[self._row(word) for word in found]]
        return np.asarray(weights @ rows / len(found), np.float32)


class EncoderModel:
    """A model in a folder as `save_pretrained` writes it, such as a sentence-transformers model or the base model itself: the
    mean of its last layer over a text's first 256 tokens. Raises `UsageError` if it cannot be loaded."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModel, AutoTokenizer

        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(folder)
            self._model: Any = AutoModel.from_pretrained(folder).eval()
        except (OSError, ValueError) as error:
            raise UsageError(
                f"evaluation.embeddings: {folder} holds no model that can be read ({type(error).__name__}). Name a folder "
                "that save_pretrained wrote, or leave it empty for word vectors."
            ) from None

    def __call__(self, texts: Sequence[str]) -> Matrix:
        """Return (texts, size of the model)."""
        import torch

        found = []
        with torch.inference_mode():
            for text in texts:  # one by one: no padding, which some models take for text
                ids = self._tokenizer(text or " ", truncation=True, max_length=_LONGEST, return_tensors="pt")
                found.append(self._model(**ids).last_hidden_state[0].mean(dim=0).float().numpy())
        return _units(np.stack(found))


def embedder(folder: Path | None) -> Callable[[Sequence[str]], Embed]:
    """Return what makes vectors for a corpus: from the model in `folder`, loaded once, or word vectors."""
    if folder is None:
        return WordVectors
    model = EncoderModel(folder)
    return lambda corpus: model


def _units(rows: npt.NDArray[Any]) -> Matrix:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(norms, 1e-9), np.float32)
