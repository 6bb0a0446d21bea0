"""Which measures a task is scored by, and what each of them says."""

from __future__ import annotations

from preceptor.evaluation.clinical.scores import score_text
from preceptor.evaluation.coding import score_coding
from preceptor.evaluation.differential import score_differential
from preceptor.evaluation.faithfulness import heading_share, number_faithfulness, term_faithfulness
from preceptor.evaluation.overlap import rouge

# The measure that stands for a task in comparisons, gates and the headline.
PRIMARY = {
    "bh_note": "rouge_l",
    "summary": "rouge_l",
    "coding_cardiology": "code_f1",
    "coding_orthopaedics": "code_f1",
    "differential": "differential_soft_recall",
}

# name -> (short label, what it says to a clinician). All lie in [0, 1]; higher is better.
METRICS = {
    "rouge_l": ("ROUGE-L", "Word overlap with the reference, in the same order."),
    "rouge_1": ("ROUGE-1", "Word overlap with the reference, in any order."),
    "rouge_2": ("ROUGE-2", "Overlap of word pairs with the reference."),
    "heading_share": ("headings", "Share of the reference's section headings that the answer has."),
    "heading_order": ("section order", "Share of the common headings that stand in the reference's order."),
    "fact_precision": (
        "facts right",
        "Share of the answer's clinical facts that the document or the reference supports.",
    ),
    "fact_recall": ("facts found", "Share of the reference's clinical facts that the answer has."),
    "length_ratio": ("length", "The shorter of answer and reference over the longer, by words."),
    "code_f1": ("code F1", "Balance of codes missed and codes too many; the whole code must be right."),
    "category_f1": ("category F1", "The same for the first three characters of the codes."),
    "evidence_validity": ("evidence", "Share of the quoted evidence that really stands in the document."),
    "differential_soft_recall": (
        "diagnoses found",
        "How well the reference's diagnoses are matched by as many of the answer's; near wordings count in part.",
    ),
    "differential_rr": (
        "first diagnosis",
        "1 over the rank at which the leading diagnosis appears; 0 if absent.",
    ),
    "differential_token_f1": ("word F1", "Overlap of the words of both lists of diagnoses."),
    "number_faithfulness": ("numbers", "Share of the answer's numbers that stand in the document."),
    "term_faithfulness": ("terms", "Share of the answer's longer words that stand in the document."),
}


def score(task: str, prompt: str, reference: str, answer: str) -> dict[str, float | None]:
    """Score one answer: each measure in [0, 1], or None where it does not apply to this answer.

    `prompt` is the case's own, without what retrieval or examples added: what was taken from another
    patient's document is no less invented here.
    """
    faithful = {
        "number_faithfulness": number_faithfulness(prompt, answer),
        "term_faithfulness": term_faithfulness(prompt, answer),
    }
    measure = primary(task)
    if measure == "rouge_l":
        overlap: dict[str, float | None] = dict(rouge(reference, answer))
        overlap["heading_share"] = heading_share(reference, answer)
        return overlap | score_text(prompt, reference, answer) | faithful
    if measure == "code_f1":
        return score_coding(prompt, reference, answer)
    return score_differential(reference, answer) | faithful


def primary(task: str) -> str:
    """Return the name of a task's primary measure; a use case that a hospital has declared is measured as text."""
    return PRIMARY.get(task, "rouge_l")
