"""What an evaluation looks at besides the scores of its arms: each probe is a module with a section of the report.

A probe is a function from `Material` to the facts of its section, JSON-able and green: numbers, names of measures, ids of
cases; never a text of a case. Its page is templates/sections/NAME.html.j2, which sees `report` and `facts`; what a reader of cases must see beside
the numbers it may look up in `material`, which the page sees too. Facts under the key `gate` are numbers that rules of the gates may name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from preceptor.evaluation import citations, coding_probe, reasoning
from preceptor.evaluation.arms import ArmModel
from preceptor.evaluation.benchmarks import probe as benchmarks
from preceptor.evaluation.clinical.probe import clinical_facts
from preceptor.evaluation.facts import Prediction
from preceptor.evaluation.failures import failures
from preceptor.evaluation.fairness import fairness
from preceptor.evaluation.fewshot import Choice
from preceptor.evaluation.fresh import fresh_slice
from preceptor.evaluation.memorisation import probe as memorisation
from preceptor.evaluation.prompting import Question
from preceptor.evaluation.regression import regression
from preceptor.evaluation.robustness import robustness
from preceptor.evaluation.safety import safety
from preceptor.progress import Progress
from preceptor.records import Example
from preceptor.settings import EvaluationSettings


@dataclass(frozen=True, slots=True)
class Material:
    """What probes work on: the cases, what retrieval may show, every arm's predictions, and the models themselves.

    `ask(role, questions)` has a role's model ("base", "finetuned", "champion") answer, in order; answers are kept, so
    that what was asked once costs nothing again. It refuses for one at a provider (`arms.may_be_asked_anew`). `dtype` is the number format that models are loaded in.
    """

    cases: Sequence[Example]
    train: Sequence[Example]
    by_arm: Mapping[str, Sequence[Prediction]]
    models: Mapping[str, ArmModel]
    settings: EvaluationSettings
    dtype: str
    ask: Callable[[str, Sequence[Question]], list[str]]
    on_progress: Progress
    choice: Choice | None = None  # of the arm `fewshot`
    fresh: Sequence[Example] = ()  # held-out cases of batches that came after the champion's data
    cache: Path | None = None  # where what was computed is kept for the next time

    @property
    def likelihoods(self) -> Path | None:
        """Where likelihoods are kept; None: nowhere."""
        return self.cache / "likelihoods" if self.cache else None


Probe = Callable[[Material], dict[str, Any] | None]

# name -> the probe, in the order of the report; one that returns None has nothing to say of these cases
PROBES: dict[str, Probe] = {
    "fewshot_choice": lambda material: material.choice.facts if material.choice else None,
    "citations": citations.probe,
    "clinical_facts": clinical_facts,
    "failures": failures,
    "coding": coding_probe.probe,
    "reasoning": reasoning.probe,
    "benchmarks": benchmarks.probe,
    "memorisation": memorisation.probe,
    "regression": regression,
    "fresh_slice": fresh_slice,
    "robustness": robustness,
    "safety": safety,
    "fairness": fairness,
}


def probed(material: Material) -> dict[str, dict[str, Any]]:
    """Return the facts of every probe that has any, by name."""
    found = {name: probe(material) for name, probe in PROBES.items()}
    return {name: facts for name, facts in found.items() if facts is not None}
