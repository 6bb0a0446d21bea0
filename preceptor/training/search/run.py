"""The search itself: trial after trial until there are as many as were asked for."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from preceptor.errors import PreceptorError
from preceptor.locks import exclusive
from preceptor.models import ResolvedModel
from preceptor.progress import clock
from preceptor.settings import TrainingSettings, Workspace
from preceptor.training import VERSION as TRAINING
from preceptor.training.jobs import plan_job
from preceptor.training.recipe import Recipe
from preceptor.training.search import VERSION
from preceptor.training.search.results import BEST, PLOT, TRIALS, picture, write_results
from preceptor.training.search.space import Space
from preceptor.training.search.study import FAILED, Outcome, Study, Trial, best_of, ceilings
from preceptor.training.search.tracking import SearchRun
from preceptor.training.search.trainer import Trainer
from preceptor.training.search.trial import run_trial
from preceptor.versions import DatasetVersion, digest, write_atomic

_STUDY = "study.db"
_HOPELESS = 3  # so many trials, and none of them whole: it is not the values


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched, and with what. `digest` names all of it but the number of trials."""

    workspace: Workspace
    base: ResolvedModel
    datasets: list[DatasetVersion]
    recipe: Recipe
    space: Space
    settings: TrainingSettings

    @property
    def digest(self) -> str:
        """12 hex digits. More trials are the same search, gone on with."""
        what = {
            "code": [TRAINING, VERSION],
            "recipe": self.recipe.model_dump(mode="json"),
            "space": self.space.model_dump(mode="json", exclude={"trials"}),
            "data": {version.stage: version.name for version in self.datasets},
            "base": self.base.digest,
        }
        return digest(what)[:12]

    @property
    def folder(self) -> Path:
        """Where it is kept."""
        return self.workspace.searches / self.digest


@dataclass(frozen=True, slots=True)
class Searched:
    """A search that has the trials that were asked for: `facts` is what trials.json says, `new` how many were trained now."""

    folder: Path
    facts: dict[str, Any]
    new: int

    @property
    def best_recipe(self) -> Path:
        """The file for `preceptor train --recipe`."""
        return self.folder / BEST

    @property
    def plot(self) -> Path:
        """The picture, a PNG."""
        return self.folder / PLOT

    @property
    def trials(self) -> Path:
        """All trials, as JSON."""
        return self.folder / TRIALS


def run_search(
    search: Search,
    wanted: int,
    tracking_uri: str,
    experiment: Callable[[], str],
    say: Callable[[str], None],
) -> Searched:
    """Go on with a search until it has so many trials. Those that ended are not trained again; one that was killed goes on
    from its checkpoint.

    Raises `PreceptorError` if another process is at the same search, there is no validation split, or no trial is whole.
    """
    busy = PreceptorError(
        f"Another process is at search {search.digest} (rule search-in-progress): wait for it, or end it first."
    )
    with exclusive(search.folder / "search.lock", busy):
        study = Study(search.folder / _STUDY, search.space)
        run = SearchRun(search.folder, tracking_uri, experiment(), search.space)
        status = "FAILED"
        try:
            with Trainer(search.settings) as trainer:
                new = _go_on(search, study, run, trainer, wanted, say)
            status = "FINISHED"
        except KeyboardInterrupt:
            status = "KILLED"
            raise
        finally:
            facts = _write(search, study)
            write_atomic(search.folder / PLOT, picture(study.trials(), search.space))
            run.end(status)
    return Searched(search.folder, facts, new)


def _go_on(
    search: Search, study: Study, run: SearchRun, trainer: Trainer, wanted: int, say: Callable[[str], None]
) -> int:
    """Train until there are as many trials as are wanted; return how many were trained."""
    own, new, started = search.space.own(search.recipe), 0, time.monotonic()
    if own is None:
        say("the recipe's own values are outside of the space: it is not tried as it is")
    while len(before := study.trials()) < wanted:
        number = len(before) + 1
        values = study.suggest(own)
        say(f"trial {number}/{wanted}: {_listed(values)}")
        outcome = _tried(search, before, values, run, trainer)
        study.add(values, outcome)
        trials, new = study.trials(), new + 1
        best = best_of(trials)
        run.add(trials[-1], best)
        _write(search, study)
        left = (time.monotonic() - started) / new * (wanted - number)
        say(f"trial {number}/{wanted}: {_ended(outcome, best)}; {clock(left)} left")
        if number >= _HOPELESS:
            _require_a_whole_one(search, trials)
    _require_a_whole_one(search, study.trials())
    return new


def _tried(
    search: Search, before: Sequence[Trial], values: dict[str, Any], run: SearchRun, trainer: Trainer
) -> Outcome:
    try:
        recipe = search.space.trial_of(search.recipe, values)
    except ValidationError as error:
        # Of a recipe, which holds no text of a document.
        return Outcome(FAILED, reason="; ".join(problem["msg"] for problem in error.errors()))
    job = plan_job(
        search.workspace,
        search.base,
        search.datasets,
        recipe,
        search.settings,
        run.tracking_uri,
        run.experiment,
        within=search.folder / "trials",
        parent_run=run.run_id,
        ceilings=ceilings(before, search.space.pruning),
    )
    return run_trial(job, trainer, lowest=search.recipe.stopping.keep == "best")


def _require_a_whole_one(search: Search, trials: Sequence[Trial]) -> None:
    if best_of(trials) is None:
        raise PreceptorError(
            f"Of {len(trials)} trials none came to its end, the last because: {trials[-1].outcome.reason} The space may be at "
            f"fault, or what all trials share. All reasons are in {search.folder / TRIALS}; without that folder the "
            "search begins anew."
        )


def _write(search: Search, study: Study) -> dict[str, Any]:
    made_from = {
        "search": search.digest,
        "base": search.base.name,
        "data": {version.stage: version.name for version in search.datasets},
    }
    return write_results(search.folder, study.trials(), search.recipe, search.space, made_from)


def _listed(values: dict[str, Any]) -> str:
    return ", ".join(
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in values.items()
    )


def _ended(outcome: Outcome, best: Trial | None) -> str:
    if outcome.loss is None:
        return f"{outcome.state}: {outcome.reason}"
    said = f"validation loss {outcome.loss:.4f}"
    if outcome.reason:
        said += f", {outcome.state} ({outcome.reason})"
    if best and best.outcome.loss is not None:
        said += f", lowest {best.outcome.loss:.4f} (trial {best.number})"
    return said
