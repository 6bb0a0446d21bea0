"""Prompt, RAG, fine-tuning, or fine-tuning with RAG: the choice for a use case, by what was measured.

It starts from what is least to keep, a prompt, and goes further only where that is shown to be better. What changes daily has
to be retrieved, whatever else is better.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from preceptor.advice.differences import FEW_CASES, Difference, difference
from preceptor.advice.evidence import Evidence
from preceptor.evaluation.verdict import FEW_PATIENTS

Changes = Literal["daily", "monthly", "yearly", "never"]
Sure = Literal["shown", "not shown", "no evidence"]

KINDS = {
    "base": "prompt",
    "fewshot": "prompt with examples",
    "rag": "RAG",
    "finetuned": "fine-tuned",
    "finetuned+rag": "fine-tuned + RAG",
}
_WORTH_HOURS = (
    20  # of the machine, saved a month: below that, what a tuned model saves does not pay for keeping it
)


@dataclass(frozen=True, slots=True)
class Choice:
    """`arm` is what to use for `task`. `sure`: `shown` where the evaluation shows it to be better than what is less to keep;
    `not shown` where nothing is, or where it was chosen for another reason; `no evidence` without an evaluation. `arms` and
    `differences` are the numbers behind it, `missing` what would have to be measured."""

    task: str
    arm: str
    sure: Sure
    why: tuple[str, ...]
    changes: tuple[str, ...]
    cautions: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    arms: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    differences: tuple[Difference, ...] = ()
    sufficiency: Mapping[str, Any] | None = None

    @property
    def kind(self) -> str:
        """The choice in words."""
        return KINDS[self.arm]


def choose(task: str, evidence: Evidence, changes: Changes | None, volume: float | None) -> Choice:
    """The choice for a use case whose knowledge changes so often, at so many answers a month; None: not said."""
    report = evidence.report
    data = ((evidence.sufficiency or {}).get("tasks") or {}).get(task)
    scored = {arm for arm in KINDS if report and task in report["arms"].get(arm, {}).get("tasks", {})}
    if report is None or len(scored) < 2:
        return _unmeasured(task, data, changes, evidence, alone=bool(scored))
    return _Measured(task, report, scored, data, changes, volume, evidence.cautions).choice()


def document(choice: Choice) -> dict[str, Any]:
    """All of it as one JSON-able document."""
    return {"use_case": choice.task, "choice": choice.kind, **asdict(choice)}


def _unmeasured(
    task: str, data: Mapping[str, Any] | None, changes: Changes | None, evidence: Evidence, alone: bool
) -> Choice:
    why, then, missing = [], [], []
    arm = "rag" if changes in ("daily", "monthly") else "fewshot"
    if alone:
        why.append(
            "The newest evaluation has one way of answering this use case only: nothing can be compared."
        )
    else:
        why.append(
            "There is no evaluation of this use case: nothing is known of which way answers it better."
        )
    missing.append(
        "an evaluation with the arms base, fewshot, rag, finetuned and finetuned+rag (`preceptor evaluate`)"
    )
    if changes in ("daily", "monthly"):
        why.append(f"Knowledge that changes {changes} has to be looked up: begin with retrieval.")
    if data is None:
        missing.append("the verdict on the data (`preceptor data sufficiency`)")
    elif data["verdict"] == "too few":
        why.append(f"The data are too few to tune with: {data['advice']}")
    else:
        why.append(
            f"There are {data['effective']} different examples to tune with ({data['verdict']}): worth a trial."
        )
        then.append("Fine-tuning, where the evaluation shows the tuned model to be better.")
    if changes is None:
        missing.append("how often the knowledge changes (--knowledge-changes)")
    return Choice(
        task, arm, "no evidence", tuple(why), tuple(then), evidence.cautions, tuple(missing), sufficiency=data
    )


class _Measured:
    """One use case that was evaluated in more ways than one; `why`, `changes` and `differences` grow while it is decided."""

    def __init__(
        self,
        task: str,
        report: Mapping[str, Any],
        scored: set[str],
        data: Mapping[str, Any] | None,
        changes: Changes | None,
        volume: float | None,
        cautions: tuple[str, ...],
    ) -> None:
        self.task, self.report, self.scored = task, report, scored
        self.data, self.rate, self.volume = data, changes, volume
        self.why: list[str] = []
        self.changes: list[str] = []
        self.cautions = list(cautions)
        self.differences: list[Difference] = []
        self.labels = {arm: report["arms"][arm]["label"] for arm in scored}

    def choice(self) -> Choice:
        plain = self._without_tuning()
        arm, sure = self._with_tuning(plain)
        if self.rate == "daily" and "rag" not in arm:
            arm, sure = self._looked_up()
        elif self.rate == "monthly" and "rag" not in arm:
            self.changes.append(
                "Knowledge that changes monthly: without retrieval, what is new is not known until the next training "
                "(`monitoring.retrain_cron`)."
            )
        self._by_data(arm)
        self._by_cases()
        missing = [f"the arm {name}" for name in KINDS if name not in self.scored]
        if self.rate is None:
            missing.append("how often the knowledge changes (--knowledge-changes)")
        return Choice(
            self.task,
            arm,
            sure,
            tuple(self.why),
            tuple(dict.fromkeys(self.changes)),
            tuple(self.cautions),
            tuple(missing),
            self._arms(),
            tuple(self.differences),
            self.data,
        )

    def _compare(self, arm: str, against: str) -> Difference | None:
        if arm not in self.scored or against not in self.scored:
            return None
        found = difference(self.report, self.task, arm, against)
        if found and found not in self.differences:
            self.differences.append(found)
            self.why.append(found.said(self.labels))
            if found.needed:
                self.changes.append(
                    f"About {found.needed} cases would show a difference as between {self.labels[arm].lower()} and "
                    f"{self.labels[against].lower()}, if it is there; there are {found.cases}."
                )
        return found

    def _mean(self, arm: str) -> float:
        return float(self.report["arms"][arm]["tasks"][self.task]["mean"])

    def _without_tuning(self) -> str:
        """The best of what is not tuned: the plain prompt, unless something is shown to be better than it."""
        if "base" not in self.scored:
            return next((arm for arm in ("fewshot", "rag") if arm in self.scored), "")
        found = [self._compare(arm, "base") for arm in ("fewshot", "rag")]
        better = [one.arm for one in found if one and one.found == "better"]
        return max(better, key=self._mean, default="base")

    def _with_tuning(self, plain: str) -> tuple[str, Sure]:
        gained = self._compare("finetuned", plain) if plain else None
        if not plain:
            return self._tuned_only()
        if gained and gained.found == "better":
            more = self._compare("finetuned+rag", "finetuned")
            return ("finetuned+rag" if more and more.found == "better" else "finetuned"), "shown"
        if gained and gained.found == "open" and self._saves(plain):
            return "finetuned", "not shown"
        if plain != "base":
            return plain, "shown" if "base" in self.scored else "not shown"
        self.why.append("Nothing is shown to be better than the plain prompt, which is the least to keep.")
        return "base", "not shown"

    def _tuned_only(self) -> tuple[str, Sure]:
        more = self._compare("finetuned+rag", "finetuned")
        self.why.append("No arm without tuning was evaluated: whether tuning is needed is not known.")
        if more and more.found == "better":
            return "finetuned+rag", "not shown"
        return "finetuned", "not shown"

    def _saves(self, plain: str) -> bool:
        """Whether the tuned model, no worse, saves so much machine time against longer prompts that it is worth keeping."""
        above = self._compare("finetuned", "base")
        if plain == "base" or self.volume is None or above is None or above.found != "better":
            return False
        saved = (self._seconds(plain) - self._seconds("finetuned")) * self.volume / 3600
        self.changes.append(
            f"At {self.volume:,.0f} answers a month the fine-tuned model saves {saved:,.1f} hours of the machine that "
            f"evaluated, against {self.labels[plain].lower()}; from {_WORTH_HOURS} it is chosen where neither is shown to be better."
        )
        if saved < _WORTH_HOURS:
            return False
        self.why.append(f"It is chosen for the {saved:,.0f} hours a month that its shorter prompts save.")
        return True

    def _looked_up(self) -> tuple[str, Sure]:
        self.why.append(
            "Knowledge that changes daily has to be looked up: a model knows what it was trained on."
        )
        self.cautions.append(
            "The evaluation retrieves similar cases, not documents that change: it does not measure whether answers are up "
            "to date."
        )
        tuned, plain = self._compare("finetuned", "rag"), self._compare("rag", "base")
        both = self._compare("finetuned+rag", "finetuned")
        if "finetuned+rag" in self.scored and tuned and tuned.found == "better":
            if both is None or both.found != "worse":
                return "finetuned+rag", "not shown"
        if plain and plain.found == "worse":
            self.cautions.append(
                "As it retrieves now, RAG is shown to be worse than the plain prompt: mend that first."
            )
        return "rag", "shown" if plain and plain.found == "better" else "not shown"

    def _by_data(self, arm: str) -> None:
        data = self.data
        if data is None:
            self.cautions.append(
                "There is no verdict on the data yet: `preceptor data sufficiency` makes one."
            )
            return
        if data["verdict"] == "too few":
            if "finetuned" in arm:
                self.cautions.append(
                    f"The model is tuned on {data['effective']} different examples, which count as too few: see that it "
                    "stays better on new cases."
                )
            else:
                self.changes.append(f"More data to tune with: {data['advice']}")
        elif data["verdict"] == "more would help" and "finetuned" not in arm:
            self.changes.append(f"More data may still turn it towards tuning: {data['advice']}")

    def _by_cases(self) -> None:
        cases, patients = self.report["cases_by_task"][self.task], self.report["n_patients"]
        if cases < FEW_CASES:
            self.cautions.append(f"{cases} cases of this use case show nothing; {FEW_CASES} are the least.")
        if patients < FEW_PATIENTS:
            self.cautions.append(f"The cases of the evaluation come from only {patients} patients.")
        if self.rate in (None, "yearly", "never"):
            self.changes.append(
                "Knowledge that changes daily would have to be looked up (RAG), whatever is better today."
            )

    def _seconds(self, arm: str) -> float:
        return float(self.report["arms"][arm]["speed"]["seconds"]) / self.report["n_cases"]

    def _arms(self) -> dict[str, dict[str, Any]]:
        total = self.report["n_cases"]
        found = {}
        for arm in KINDS:
            if arm not in self.scored:
                continue
            facts, scored = self.report["arms"][arm]["speed"], self.report["arms"][arm]["tasks"][self.task]
            found[arm] = {
                "label": self.labels[arm],
                **{key: round(100 * scored[key], 1) for key in ("mean", "low", "high")},
                "prompt_tokens": round(facts["prompt_tokens"] / total),
                "new_tokens": round(facts["new_tokens"] / total),
                "seconds": round(self._seconds(arm), 2),
                "hours_a_month": None
                if self.volume is None
                else round(self._seconds(arm) * self.volume / 3600, 1),
            }
        return found
