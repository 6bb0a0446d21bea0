"""Texts as vectors of length 1, for search by meaning: from word vectors that ship with Preceptor, or from a model's folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from preceptor.errors import UsageError
from preceptor.sif import Matrix, Sif, words

Embed = Callable[[Sequence[str]], Matrix]
_LONGEST = 256  # tokens that a model reads of a text; sentence models are trained on short ones


class WordVectors:
    """Means of word vectors (`preceptor.sif`); `corpus` says what is frequent and what is shared."""

    def __init__(self, corpus: Sequence[str]) -> None:
        self._sif = Sif([words(text) for text in corpus])

    def __call__(self, texts: Sequence[str]) -> Matrix:
        """Return (texts, 64); a text without a known word is zeros."""
        return self._sif.units([words(text) for text in texts])


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
        rows = np.stack(found)
        return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9), np.float32)


def embedder(folder: Path | None) -> Callable[[Sequence[str]], Embed]:
    """Return what makes vectors for a corpus: from the model in `folder`, loaded once, or word vectors."""
    if folder is None:
        return WordVectors
    model = EncoderModel(folder)
    return lambda corpus: model
