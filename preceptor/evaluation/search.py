"""Search over passages by words and by meaning, joined by rank: what retrieval shows.

BM25 (Robertson & Zaragoza 2009) finds the same words, vectors find the same subject in others; their rankings are joined by
reciprocal rank fusion, 1 / (60 + rank) summed (Cormack, Clarke & Büttcher 2009), which needs no scores that compare.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from preceptor.evaluation.embedding import Embed, WordVectors
from preceptor.evaluation.retrieval import shared_opening, words
from preceptor.records import Example

How = Literal["bm25", "embeddings", "hybrid"]
_K = 60  # of the fusion, as in the paper
_DEEP = 100  # places of each ranking that count


class PassageSearch:
    """Ranks texts for a query. `make` gives the vectors of texts, given the corpus."""

    def __init__(self, texts: Sequence[str], make: Callable[[Sequence[str]], Embed] = WordVectors) -> None:
        import bm25s

        self.texts = list(texts)
        self._index: Any = bm25s.BM25() if self.texts else None
        if self._index:
            self._index.index(words(self.texts), show_progress=False)
            self._embed = make(self.texts)
            self._vectors = self._embed(self.texts)

    def ranked(self, query: str, how: How = "hybrid") -> list[int]:
        """Return places of texts, the best first. By words only those that share one."""
        if not self.texts:
            return []
        if how == "bm25":
            return self._by_words(query)
        if how == "embeddings":
            return self._by_meaning(query)
        return fused([self._by_words(query), self._by_meaning(query)])

    def _by_words(self, query: str) -> list[int]:
        count = min(_DEEP, len(self.texts))
        found, scores = self._index.retrieve(words([query]), k=count, show_progress=False)
        return [int(i) for i, score in zip(found[0], scores[0], strict=True) if score > 0]

    def _by_meaning(self, query: str) -> list[int]:
        cosines = self._vectors @ self._embed([query])[0]
        order = np.argsort(-cosines, kind="stable")[:_DEEP]
        return [int(place) for place in order if cosines[place] > 0]


class CaseSearch:
    """The training examples of one use case, found by what they are about: the instruction all share is left out."""

    def __init__(
        self, examples: Sequence[Example], make: Callable[[Sequence[str]], Embed] = WordVectors
    ) -> None:
        self._examples = list(examples)
        self._instruction = shared_opening([e.prompt for e in self._examples])
        self._passages = PassageSearch([self.text(e) for e in self._examples], make)

    def text(self, example: Example) -> str:
        """What is searched and shown of an example: the document and the answer that was given."""
        return f"{example.prompt[len(self._instruction) :].strip()}\nAnswer given: {example.answer}"

    def nearest(self, case: Example, count: int, how: How = "hybrid") -> list[Example]:
        """Return the nearest examples, the nearest first, none of the case's own patient or documents."""
        found = [
            self._examples[i] for i in self._passages.ranked(case.prompt.removeprefix(self._instruction), how)
        ]
        return [e for e in found if not _related(e, case)][:count]


def _related(example: Example, case: Example) -> bool:
    same_patient = bool(example.patient_ref) and example.patient_ref == case.patient_ref
    return same_patient or bool(set(example.document_refs) & set(case.document_refs))


def fused(rankings: Sequence[Sequence[int]]) -> list[int]:
    """Join rankings by reciprocal rank fusion; equals in the order of their number.

    >>> fused([[2, 0], [1, 2]])
    [2, 1, 0]
    """
    points: dict[int, float] = {}
    for ranking in rankings:
        for rank, place in enumerate(ranking, start=1):
            points[place] = points.get(place, 0.0) + 1 / (_K + rank)
    return sorted(points, key=lambda place: (-points[place], place))
