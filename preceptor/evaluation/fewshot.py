"""The best prompt with examples, chosen on the validation split: what the arm `fewshot` shows is what did best there.

Comparing a fine-tuned model with a prompt that was drawn by lot would flatter it. Candidates differ in the number of
examples (none to `fewshot_examples`), in which ones (several draws from the shorter half, or the nearest to the case), and
in the instruction, where the settings give others for a use case. Each answers the same validation cases with the base
model; the best mean of the use case's first measure is taken, of equals the one that shows least. No test case is seen.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from preceptor.evaluation.metrics import primary, score
from preceptor.evaluation.prompting import Question
from preceptor.evaluation.retrieval import fewshot_examples
from preceptor.evaluation.search import CaseSearch
from preceptor.records import Example
from preceptor.settings import EvaluationSettings

Ask = Callable[[Sequence[Question]], list[str]]
NEAREST = "nearest"


@dataclass(frozen=True, slots=True)
class Recipe:
    """A way of asking: `shots` examples, `how` they are found (`nearest`, or the name of a draw), and the number of the
    instruction (0: the use case's own)."""

    shots: int
    how: str
    instruction: int = 0

    @property
    def name(self) -> str:
        """For people, and unique among the candidates of a use case."""
        shown = f"{self.shots} {self.how}" if self.shots else "no examples"
        return f"{shown}, instruction {self.instruction + 1}" if self.instruction else shown


class Prompts:
    """Asks about the cases of one use case by any recipe; `train` comes from `retrieval.usable`."""

    def __init__(self, train: Sequence[Example], task: str, settings: EvaluationSettings) -> None:
        self._train, self._task, self._settings = train, task, settings
        self._instructions = settings.fewshot_instructions.get(task, ())
        self._search = CaseSearch([e for e in train if e.task == task])

    def question(self, case: Example, recipe: Recipe) -> Question:
        """Return what is asked; no example is of the case's own patient."""
        if recipe.how == NEAREST:
            found = self._search.nearest(case, recipe.shots)[::-1]  # the nearest stands next to the case
        else:
            seed = self._settings.seed if recipe.how == draw(0) else f"{self._settings.seed} {recipe.how}"
            found = fewshot_examples(self._train, self._task, recipe.shots, seed)
        shown = [e for e in found if not e.patient_ref or e.patient_ref != case.patient_ref]
        return Question(
            self._worded(case, recipe),
            examples=tuple((self._worded(e, recipe), e.answer) for e in shown),
            sources=tuple(e.example_id for e in shown),
        )

    def candidates(self) -> list[Recipe]:
        """Return what is tried, at most `fewshot_candidates`, those that show least first."""
        most = min(self._settings.fewshot_examples, sum(e.task == self._task for e in self._train))
        found = []
        for shots in range(most + 1):
            ways = [draw(n) for n in range(self._settings.fewshot_draws)] + [NEAREST] if shots else [draw(0)]
            for how in ways:
                found += [Recipe(shots, how, n) for n in range(len(self._instructions) + 1)]
        return found[: self._settings.fewshot_candidates]

    def _worded(self, example: Example, recipe: Recipe) -> str:
        if not recipe.instruction:
            return example.prompt
        return f"{self._instructions[recipe.instruction - 1]}\n\n{example.source}"


def draw(number: int) -> str:
    """The name of a draw; the first is that of the seed alone."""
    return f"drawn ({number + 1})"


@dataclass(frozen=True, slots=True)
class Choice:
    """The recipe of each use case, and the facts of the search."""

    recipes: Mapping[str, Recipe]
    facts: dict[str, Any]


def choose(
    train: Sequence[Example],
    validation: Sequence[Example],
    tasks: Sequence[str],
    settings: EvaluationSettings,
    ask: Ask,
) -> Choice:
    """Score the candidates of every use case on at most `fewshot_cases` validation cases, and take the best.

    `ask` answers with the base model. A use case without validation cases keeps the draw by the seed, and the facts say so.
    """
    plans: list[tuple[str, Recipe, Example]] = []
    asked: list[Question] = []
    recipes: dict[str, Recipe] = {}
    facts: dict[str, Any] = {}
    for task in sorted(tasks):
        prompts = Prompts(train, task, settings)
        candidates = prompts.candidates()
        cases = _sample([e for e in validation if e.task == task], settings, task)
        recipes[task] = Recipe(settings.fewshot_examples, draw(0))
        facts[task] = {"measure": primary(task), "cases": [e.example_id for e in cases], "candidates": []}
        if not cases or len(candidates) < 2:
            continue
        for recipe in candidates:
            for case in cases:
                plans.append((task, recipe, case))
                asked.append(prompts.question(case, recipe))
    scores: dict[tuple[str, Recipe], list[float]] = {}
    for (task, recipe, case), answer in zip(plans, ask(asked) if asked else [], strict=True):
        measured = score(task, case.prompt, case.answer, answer)[primary(task)]
        scores.setdefault((task, recipe), []).append(float(measured or 0.0))
    for (task, recipe), values in scores.items():
        facts[task]["candidates"].append(
            {"name": recipe.name, "shots": recipe.shots, "score": sum(values) / len(values)}
        )
    for task, found in facts.items():
        tried = [(recipe, sum(v) / len(v)) for (of, recipe), v in scores.items() if of == task]
        if tried:
            best = max(mean for _, mean in tried)
            recipes[task] = next(recipe for recipe, mean in tried if mean == best)
        found["chosen"] = recipes[task].name
        found["why"] = "best on the validation cases" if tried else "drawn by the seed: nothing to choose by"
    return Choice(recipes, {"tasks": facts})


def _sample(cases: Sequence[Example], settings: EvaluationSettings, task: str) -> list[Example]:
    ordered = sorted(cases, key=lambda e: e.example_id)
    count = min(settings.fewshot_cases, len(ordered))
    return sorted(
        random.Random(f"{settings.seed} validation {task}").sample(ordered, count), key=lambda e: e.example_id
    )
