"""The arms: ways of answering the same cases, each a model and what it is shown besides the case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from preceptor.evaluation.prompting import Question
from preceptor.evaluation.remote import Remote
from preceptor.evaluation.retrieval import CaseIndex, fewshot_examples
from preceptor.records import Example
from preceptor.settings import EvaluationSettings

# arm -> (the model it runs, what a clinician should call it)
ARMS = {
    "base": ("base", "Base model"),
    "fewshot": ("base", "Base model with examples"),
    "rag": ("base", "Base model with retrieval"),
    "finetuned": ("finetuned", "Fine-tuned model"),
    "finetuned+rag": ("finetuned", "Fine-tuned model with retrieval"),
    "champion": ("champion", "Model in use now"),
}

SHOWS_EXAMPLES = frozenset({"fewshot", "rag", "finetuned+rag"})


@dataclass(frozen=True, slots=True)
class ArmModel:
    """A model that arms run: a local Transformers checkpoint and, for one tuned by LoRA, a PEFT adapter
    folder.

    `digest` names both by content: the same digest, the same answers. With `remote` the answers come from there, and the
    checkpoint is only the tokenizer that measures what is asked.
    """

    name: str
    path: Path
    adapter: Path | None
    digest: str
    remote: Remote | None = None


def questions(
    arm: str, cases: Sequence[Example], train: Sequence[Example], settings: EvaluationSettings
) -> list[Question]:
    """Return what an arm's model is asked, one question per case in their order.

    `train` comes from `retrieval.usable`. A task without training examples is asked as in the base arm.
    """
    if arm == "fewshot":
        shown = {
            task: tuple(
                (example.prompt, example.answer)
                for example in fewshot_examples(train, task, settings.fewshot_examples, settings.seed)
            )
            for task in {case.task for case in cases}
        }
        return [Question(case.prompt, examples=shown[case.task]) for case in cases]
    if arm.endswith("rag"):
        indexes = {task: CaseIndex(train, task) for task in {case.task for case in cases}}
        return [
            Question(case.prompt, retrieved=indexes[case.task].nearest(case.prompt, settings.rag_documents))
            for case in cases
        ]
    return [Question(case.prompt) for case in cases]
