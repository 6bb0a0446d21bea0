"""How much of a reference text an answer has: ROUGE (Lin 2004, aclanthology.org/W04-1013)."""

from __future__ import annotations

from functools import cache
from typing import Any


@cache
def _scorer() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=False)


def rouge(reference: str, answer: str) -> dict[str, float]:
    """Return the F-measures `rouge_1`, `rouge_2` and `rouge_l`, each in [0, 1], as the package rouge-score
    has them.

    Words are lower-cased runs of letters and digits, not stemmed. ROUGE-L takes the text as one sequence: the
    variant that papers report as ROUGE-Lsum differs on texts of several lines.
    """
    scores = _scorer().score(reference, answer)
    return {
        "rouge_1": float(scores["rouge1"].fmeasure),
        "rouge_2": float(scores["rouge2"].fmeasure),
        "rouge_l": float(scores["rougeL"].fmeasure),
    }
