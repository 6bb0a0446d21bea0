"""The report that people read: one HTML file with everything in it. Amber: it shows de-identified cases."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from preceptor.evaluation.benchmarks.plots import reliability
from preceptor.evaluation.charts import Bar, forest
from preceptor.evaluation.clinical.marking import listed, marked_answer, marked_reference
from preceptor.evaluation.clinical.probe import is_written, shown_arm
from preceptor.evaluation.facts import Prediction
from preceptor.evaluation.metrics import METRICS
from preceptor.evaluation.probes import Material
from preceptor.evaluation.verdict import outcome
from preceptor.records import Example

TEMPLATES = Path(__file__).parent / "templates"
EXCERPT = 900  # characters of a document that are shown
TASKS = {
    "bh_note": "Behavioural health: session note",
    "coding_cardiology": "Cardiology: ICD-10-CM codes",
    "coding_orthopaedics": "Orthopaedics: ICD-10-CM codes",
    "summary": "Summary",
    "differential": "Differential diagnosis",
}


def render(report: Mapping[str, Any], material: Material) -> str:
    """Return the report as HTML without any reference to outside; all text of cases is escaped."""
    arms, by_arm = report["arms"], material.by_arm
    measured = [
        Bar(
            facts["label"],
            *_points(facts["headline"], "mean", "low", "high"),
            "ours" if "finetuned" in arm else "plain",
        )
        for arm, facts in arms.items()
    ]
    candidate = [c for c in report["comparisons"].values() if c["family"] == "candidate"]
    differences = [
        Bar(
            f"against {_lower(arms[c['against']]['label'])}",
            *_points(c, "difference", "low", "high"),
            outcome(c),
        )
        for c in candidate
    ]
    return template().render(
        report=report,
        material=material,
        scores=forest(measured, title="Score of every arm, in points of 100", signed=False),
        differences=forest(differences, title="Difference of the fine-tuned model", signed=True)
        if differences
        else "",
        comparisons=[{**c, "outcome": outcome(c)} for c in report["comparisons"].values()],
        cases=side_by_side(by_arm),
        task_names=TASKS,
        metrics=METRICS,
    )


def side_by_side(by_arm: Mapping[str, Sequence[Prediction]]) -> list[dict[str, Any]]:
    """Return one case per task with all arms' answers, and the case in which the fine-tuned model lost most.

    A task's case is the one in the middle by the fine-tuned model's gain over the base model (by score where
    one of them is missing), so that nobody can pick a flattering one.
    """
    arms = list(by_arm)
    rows = range(len(by_arm[arms[0]]))

    def gain(row: int) -> float:
        if "finetuned" in by_arm and "base" in by_arm:
            return by_arm["finetuned"][row].primary - by_arm["base"][row].primary
        return by_arm[arms[-1]][row].primary

    shown: dict[int, str] = {}
    tasks = {row: by_arm[arms[0]][row].case.task for row in rows}
    for task in sorted(set(tasks.values())):
        of_task = [row for row in rows if tasks[row] == task]
        middle = statistics.median_low([gain(row) for row in of_task])
        shown[next(row for row in of_task if gain(row) == middle)] = "the middle case of its task"
    worst = min(rows, key=gain)
    if "finetuned" in by_arm and gain(worst) < 0:
        shown[worst] = "the case in which the fine-tuned model lost most against the base model"
    return [_case(by_arm, row, why) for row, why in shown.items()]


def _case(by_arm: Mapping[str, Sequence[Prediction]], row: int, why: str) -> dict[str, Any]:
    case = next(iter(by_arm.values()))[row].case
    return {
        "why": why,
        "id": case.example_id,
        "task": case.task,
        "specialty": case.specialty,
        "provenance": case.provenance,
        "prompt": case.prompt if len(case.prompt) <= EXCERPT else f"{case.prompt[:EXCERPT].rstrip()} …",
        "reference": _marked(marked_reference, case, by_arm[shown_arm(by_arm)][row].answer) or case.answer,
        "answers": [
            {
                "arm": arm,
                "text": _marked(marked_answer, case, p[row].answer) or p[row].answer,
                "score": 100 * p[row].primary,
                "cut": not p[row].finished,
                "shown": [(source, source in p[row].cited) for source in p[row].shown],
            }
            for arm, p in by_arm.items()
        ],
    }


def _marked(mark: Callable[[str, str, str], Any], case: Example, answer: str) -> Any:
    """A written case's answer or reference with its facts marked; None for codes and lists."""
    return mark(case.prompt, case.answer, answer) if is_written(case.task) else None


def _points(facts: Mapping[str, Any], *keys: str) -> tuple[float, float, float]:
    mean, low, high = (100 * facts[key] for key in keys)
    return mean, low, high


def _lower(label: str) -> str:
    return label[0].lower() + label[1:]


@cache
def template(name: str = "report.html.j2") -> Any:
    """Return a page's template, with the filters and the style that all pages share."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["points"] = lambda value: "–" if value is None else f"{100 * value:.1f}"
    environment.filters["signed"] = lambda value: f"{100 * value:+.1f}"
    environment.filters["svg"] = Markup  # only for our own drawings, whose labels are escaped
    environment.globals["clinical_cases"] = listed  # in the words of cases, which report.json lacks
    environment.filters["reliability"] = reliability
    return environment.get_template(name)
