"""The measures of a written answer that the facts in it give."""

from __future__ import annotations

from preceptor.evaluation.clinical.compare import compare
from preceptor.evaluation.clinical.sections import length_ratio, order


def score_text(prompt: str, reference: str, answer: str) -> dict[str, float | None]:
    """Return `fact_precision`, `fact_recall`, `heading_order` and `length_ratio`, in [0, 1], None where nothing can be measured."""
    compared = compare(prompt, reference, answer)
    return {
        "fact_precision": compared.precision,
        "fact_recall": compared.recall,
        "heading_order": order(reference, answer),
        "length_ratio": length_ratio(reference, answer),
    }
