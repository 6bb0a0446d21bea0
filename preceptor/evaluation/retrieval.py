"""Examples and earlier cases from the training split, for the few-shot and RAG arms. Never from the test split."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Sequence

from preceptor.errors import PreceptorError
from preceptor.records import Example


def usable(train: Sequence[Example], cases: Sequence[Example], split: str = "train") -> list[Example]:
    """Return the clinical examples of the training split (or of `split`), after checking that none touches a case.

    Synthetic ones are left out: what a hospital would look up or show as an example is real. Raises
    `PreceptorError` if an example is of another split, or shares its id, patient or document with a case.
    """
    tested = {case.example_id for case in cases}
    patients = {case.patient_ref for case in cases}
    documents = {ref for case in cases for ref in case.document_refs}
    for example in train:
        rule = (
            f"it belongs to the split {example.split}"
            if example.split != split
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


def fewshot_examples(train: Sequence[Example], task: str, count: int, seed: int | str) -> list[Example]:
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


def words(texts: Sequence[str]) -> list[list[str]]:
    """Return the words of each text as BM25 counts them: in lower case, without English stop words."""
    import bm25s

    logging.getLogger("bm25s").setLevel(logging.WARNING)  # its import makes itself verbose
    found = bm25s.tokenize(list(texts), stopwords="en", return_ids=False, show_progress=False)
    return found if isinstance(found, list) else found.ids


def shared_opening(prompts: Sequence[str]) -> str:
    """Return the whole lines that all prompts begin with: the instruction. Empty for fewer than two prompts."""
    if len(prompts) < 2:
        return ""
    opening = os.path.commonprefix(list(prompts))
    return opening[: opening.rfind("\n") + 1]
