"""The arms: ways of answering the same cases, each a model and what it is shown besides the case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from preceptor.evaluation.embedding import embedder
from preceptor.evaluation.fewshot import Choice, Prompts, Recipe, draw
from preceptor.evaluation.prompting import Question
from preceptor.evaluation.references import Passage
from preceptor.evaluation.remote import Remote
from preceptor.evaluation.search import CaseSearch, PassageSearch
from preceptor.records import Example
from preceptor.settings import EvaluationSettings, resolve_path

# arm -> (the model it runs, what a clinician should call it)
ARMS = {
    "base": ("base", "Base model"),
    "fewshot": ("base", "Base model with examples"),
    "rag": ("base", "Base model with retrieval"),
    "finetuned": ("finetuned", "Fine-tuned model"),
    "finetuned+rag": ("finetuned", "Fine-tuned model with retrieval"),
    "champion": ("champion", "Model in use now"),
    "endpoint": ("endpoint", "Model at an endpoint"),
}

SHOWS_EXAMPLES = frozenset({"fewshot", "rag", "finetuned+rag"})
BARE = tuple(
    arm for arm in ARMS if arm not in SHOWS_EXAMPLES
)  # asked the case alone; named as their models are


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


def may_be_asked_anew(models: Mapping[str, ArmModel], role: str) -> bool:
    """Whether probes may ask a model what they make of cases. Of one at a provider not: what was approved to be sent there are the
    test cases as they are (preceptor/providers/policy.py), and each question costs."""
    model = models.get(role)
    return model is None or model.remote is None


def questions(
    arm: str,
    cases: Sequence[Example],
    train: Sequence[Example],
    settings: EvaluationSettings,
    choice: Choice | None = None,
    passages: Sequence[Passage] = (),
) -> list[Question]:
    """Return what an arm's model is asked, one question per case in their order.

    `train` comes from `retrieval.usable`. `choice` says which examples `fewshot` shows (without it a draw by the seed), and
    `passages` are of reference texts. A task without anything to show is asked as in the base arm.
    """
    tasks = {case.task for case in cases}
    if arm == "fewshot":
        prompts = {task: Prompts(train, task, settings) for task in tasks}
        recipes = choice.recipes if choice else {}
        default = Recipe(settings.fewshot_examples, draw(0))
        return [prompts[case.task].question(case, recipes.get(case.task, default)) for case in cases]
    if arm.endswith("rag"):
        make = embedder(resolve_path(settings.embeddings) if settings.embeddings else None)
        searches = {task: CaseSearch([e for e in train if e.task == task], make) for task in tasks}
        library = PassageSearch([passage.text for passage in passages], make)
        return [_with_found(case, searches[case.task], library, passages, settings) for case in cases]
    return [Question(case.prompt) for case in cases]


def _with_found(
    case: Example,
    search: CaseSearch,
    library: PassageSearch,
    passages: Sequence[Passage],
    settings: EvaluationSettings,
) -> Question:
    earlier = search.nearest(case, settings.rag_documents)
    found = [passages[place] for place in library.ranked(case.source or case.prompt)[: settings.rag_passages]]
    return Question(
        case.prompt,
        retrieved=tuple(search.text(example) for example in earlier),
        references=tuple(passage.text for passage in found),
        sources=(*(example.example_id for example in earlier), *(passage.id for passage in found)),
    )
