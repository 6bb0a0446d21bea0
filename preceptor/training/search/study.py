"""The study: which trials there were, and from them the values of the next. Optuna's, in an SQLite file of its own.

Only trials that ended are in it. Which values come next follows from these, the seed and the space alone: a search that was
killed in a trial comes to the same trial again, whose training goes on from its checkpoint.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from preceptor.training.jobs import PRUNED
from preceptor.training.search.space import Pruning, Space
from preceptor.versions import digest

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

COMPLETE: Final = "complete"
FAILED: Final = "failed"
_NAME = "recipe search"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a trial ended. `loss` (nats a token of the answers of the validation split) is None of a failed one, and the last
    one measured of a pruned one; `reason` says why it did not come to its end; `seconds` and `run_id` are of its training."""

    state: Literal["complete", "pruned", "failed"]
    loss: float | None = None
    evaluations: tuple[tuple[int, float], ...] = ()  # (step, loss)
    reason: str = ""
    seconds: float = 0.0
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """A trial that ended: its number from 1 (Optuna's are from 0), the values by dotted key of the recipe, the outcome."""

    number: int
    values: dict[str, Any]
    outcome: Outcome


class Study:
    """The trials of one space in a file, which is made if it is not there."""

    def __init__(self, file: Path, space: Space) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        file.parent.mkdir(parents=True, exist_ok=True)
        self._space = space
        self._study = optuna.create_study(
            storage=f"sqlite:///{file}", study_name=_NAME, load_if_exists=True, direction="minimize"
        )

    def trials(self) -> list[Trial]:
        """All trials that ended, in their order."""
        return [_trial(kept) for kept in self._study.get_trials()]

    def suggest(self, own: Mapping[str, Any] | None) -> dict[str, Any]:
        """The values of the next trial; of the first, `own`, if there are any."""
        import optuna

        before = self._study.get_trials()
        if own and not before:
            return dict(own)
        # The sampler's state is lost when a search ends: it begins anew for every trial, or a search that goes on would
        # draw again what it drew at first.
        seed = int(digest([self._space.seed, len(before)])[:8], 16)
        sampler = optuna.samplers.TPESampler(n_startup_trials=self._space.sampler.random, seed=seed)
        aside = optuna.create_study(sampler=sampler, direction="minimize")
        aside.add_trials([_as_a_lesson(trial) for trial in before])
        return aside.ask(_distributions(self._space)).params

    def add(self, values: Mapping[str, Any], outcome: Outcome) -> None:
        """Write down how the trial of these values ended, in one transaction."""
        from optuna.trial import TrialState, create_trial

        states = {COMPLETE: TrialState.COMPLETE, PRUNED: TrialState.PRUNED, FAILED: TrialState.FAIL}
        self._study.add_trial(
            create_trial(
                state=states[outcome.state],
                value=outcome.loss,
                params=dict(values),
                distributions=_distributions(self._space),
                intermediate_values=dict(outcome.evaluations),
                user_attrs={"reason": outcome.reason, "seconds": outcome.seconds, "run_id": outcome.run_id},
            )
        )


def ceilings(trials: Sequence[Trial], pruning: Pruning) -> dict[int, float]:
    """By step the median loss of the whole trials, above which the next one is given up; empty before there are enough.

    Optuna's MedianPruner would have to be asked in the process that trains; the rule is the same.
    """
    whole = [trial.outcome for trial in trials if trial.outcome.state == COMPLETE]
    if pruning.rule == "none" or len(whole) < pruning.trials:
        return {}
    losses: dict[int, list[float]] = {}
    for outcome in whole:
        for step, loss in outcome.evaluations:
            losses.setdefault(step, []).append(loss)
    return {step: statistics.median(losses[step]) for step in sorted(losses)[pruning.evaluations :]}


def best_of(trials: Sequence[Trial]) -> Trial | None:
    """The whole trial with the lowest loss, the first of equals; None if there is none."""
    whole = [trial for trial in trials if trial.outcome.state == COMPLETE]
    return min(whole, key=lambda trial: trial.outcome.loss or 0.0, default=None)


def _trial(kept: FrozenTrial) -> Trial:
    said = kept.user_attrs
    states: dict[str, Literal["complete", "pruned", "failed"]] = {
        "COMPLETE": "complete",
        "PRUNED": "pruned",
        "FAIL": "failed",
    }
    outcome = Outcome(
        state=states[kept.state.name],
        loss=kept.value,
        evaluations=tuple(sorted(kept.intermediate_values.items())),
        reason=said["reason"],
        seconds=said["seconds"],
        run_id=said["run_id"],
    )
    return Trial(kept.number + 1, dict(kept.params), outcome)


def _as_a_lesson(trial: FrozenTrial) -> FrozenTrial:
    """The sampler knows nothing of failed trials, and would try their neighbours: it is told that they were pruned before the
    first evaluation, which is worse to it than any loss."""
    from optuna.trial import TrialState, create_trial

    if trial.state != TrialState.FAIL:
        return trial
    return create_trial(state=TrialState.PRUNED, params=trial.params, distributions=trial.distributions)


def _distributions(space: Space) -> dict[str, BaseDistribution]:
    """In the order of their keys: the order in the file may change without another trial being drawn."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    found: dict[str, BaseDistribution] = {}
    found |= {key: FloatDistribution(r.low, r.high, log=r.log) for key, r in space.floats.items()}
    found |= {key: IntDistribution(r.low, r.high, log=r.log) for key, r in space.ints.items()}
    found |= {key: CategoricalDistribution(choices) for key, choices in space.choices.items()}
    return dict(sorted(found.items()))
