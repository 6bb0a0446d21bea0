"""Examples and earlier cases from the training split, for the few-shot and RAG arms. Never from the test split."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Sequence

from preceptor.errors import PreceptorError
from preceptor.records import Example


def usable(train: Sequence[Example], cases: Sequence[Example]) -> list[Example]:
    """Return the clinical examples of the training split, after checking that none touches a case.

    Synthetic ones are left out: what a hospital would look up or show as an example is real. Raises
    `PreceptorError` if an example is of another split, or shares its id, patient or document with a case.
    """
    tested = {case.example_id for case in cases}
    patients = {case.patient_ref for case in cases}
    documents = {ref for case in cases for ref in case.document_refs}
    for example in train:
        rule = (
            f"it belongs to the split {example.split}"
            if example.split != "train"
            else "it is itself a case"
            if example.example_id in tested
            else "its patient is in a case"
            if example.patient_ref in patients
            else "its document is in a case"
            if documents.intersection(example.document_refs)
            else None
        )
        if rule:
            raise PreceptorError(
                f"Example {example.example_id} cannot be shown to a model under evaluation: {rule}. The data set "
                "version mixes its splits; make it again with `preceptor run`, or evaluate other cases."
            )
    return [example for example in train if example.provenance == "clinical"]


def fewshot_examples(train: Sequence[Example], task: str, count: int, seed: int) -> list[Example]:
    """Return `count` examples of a task, the same for every case: drawn from the shorter half, shortest
    first.

    Short ones, because they take room from the case; drawn by the seed, not chosen for their effect.
    """
    pool = sorted(
        (e for e in train if e.task == task), key=lambda e: (len(e.prompt + e.answer), e.example_id)
    )
    shorter = pool[: max(count, (len(pool) + 1) // 2)]
    drawn = random.Random(f"{seed} {task}").sample(shorter, min(count, len(shorter)))
    return sorted(drawn, key=lambda e: (len(e.prompt + e.answer), e.example_id))


class CaseIndex:
    """BM25 over the training examples of one task (bm25s; Robertson & Zaragoza 2009)."""

    def __init__(self, train: Sequence[Example], task: str) -> None:
        import bm25s

        logging.getLogger("bm25s").setLevel(logging.WARNING)  # its import makes itself verbose
        examples = [example for example in train if example.task == task]
        self.instruction = shared_opening([example.prompt for example in examples])
        self.texts = [
            f"{example.prompt[len(self.instruction) :].strip()}\nAnswer given: {example.answer}"
            for example in examples
        ]
        self._index = bm25s.BM25() if self.texts else None
        if self._index:
            self._index.index(self._words(self.texts), show_progress=False)

    def nearest(self, prompt: str, count: int) -> tuple[str, ...]:
        """Return the documents, with their answers, that share most words with a prompt; fewer if fewer share any."""
        if self._index is None or count == 0:
            return ()
        query = prompt.removeprefix(self.instruction)
        found, scores = self._index.retrieve(
            self._words([query]), k=min(count, len(self.texts)), show_progress=False
        )
        return tuple(self.texts[i] for i, score in zip(found[0], scores[0], strict=True) if score > 0)

    @staticmethod
    def _words(texts: Sequence[str]) -> list[list[str]]:
        import bm25s

        words = bm25s.tokenize(list(texts), stopwords="en", return_ids=False, show_progress=False)
        return words if isinstance(words, list) else words.ids


def shared_opening(prompts: Sequence[str]) -> str:
    """Return the whole lines that all prompts begin with: the instruction. Empty for fewer than two prompts."""
    if len(prompts) < 2:
        return ""
    opening = os.path.commonprefix(list(prompts))
    return opening[: opening.rfind("\n") + 1]
