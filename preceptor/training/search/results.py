"""What a search leaves for people: all trials as JSON, the best recipe as YAML, and a picture."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from preceptor.training.jobs import PRUNED
from preceptor.training.recipe import Recipe, laid_on
from preceptor.training.search.space import Space
from preceptor.training.search.study import COMPLETE, FAILED, Trial, best_of
from preceptor.versions import write_atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TRIALS, BEST, PLOT = "trials.json", "best-recipe.yaml", "search.png"
_COLUMNS = 3


def write_results(
    folder: Path, trials: Sequence[Trial], recipe: Recipe, space: Space, made_from: dict[str, Any]
) -> dict[str, Any]:
    """Write JSON and best recipe for the trials so far, each whole or not at all; without a whole trial there is no best.

    Returns what the JSON says: `made_from`, `metric`, the space, `trials`, `best` and `own` (the trial of the recipe's own
    values), both None where there is no such trial. It holds settings and measures, no text.
    """
    best, own = best_of(trials), space.own(recipe)
    rows = [_row(trial) for trial in trials]
    found = {
        **made_from,
        "metric": space.metric,
        "space": space.model_dump(mode="json", exclude={"trials"}),
        "trials": rows,
        "best": rows[best.number - 1] if best else None,
        "own": next((row for row in rows if row["values"] == own), None),
    }
    write_atomic(folder / TRIALS, json.dumps(found, indent=1) + "\n")
    if best:
        write_atomic(folder / BEST, _best_recipe(best, recipe, found))
    return found


def _row(trial: Trial) -> dict[str, Any]:
    outcome = trial.outcome
    return {
        "number": trial.number,
        "state": outcome.state,
        "validation_loss": outcome.loss,
        "values": trial.values,
        "reason": outcome.reason,
        "evaluations": [list(one) for one in outcome.evaluations],
        "seconds": outcome.seconds,
        "run_id": outcome.run_id,
    }


def _best_recipe(best: Trial, recipe: Recipe, found: dict[str, Any]) -> str:
    """The recipe whole, with the best values and its own length."""
    import yaml

    own = found["own"]
    before = f"; the recipe as it was: {own['validation_loss']:.4f}" if own and own["validation_loss"] else ""
    length = ", ".join(f"{key} {value:g}" for key, value in found["space"]["trial"].items() if value)
    head = [
        f"The best of {len(found['trials'])} trials of search {found['search']}: trial {best.number}.",
        f"Validation loss {best.outcome.loss:.4f}{before}. Trials had {length}.",
        *(f"{key}: {value}" for key, value in best.values.items()),
    ]
    chosen = Recipe(**laid_on(recipe.model_dump(), best.values)).model_dump(mode="json")
    return "".join(f"# {line}\n" for line in head) + yaml.safe_dump(chosen, sort_keys=False)


def picture(trials: Sequence[Trial], space: Space) -> bytes:
    """A PNG: validation loss by trial with the best so far, and by each of the values; failed trials are at the foot."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    rows = 1 + -(-len(space.keys) // _COLUMNS)
    figure = Figure(figsize=(9, 2.6 * rows), layout="constrained")
    grid = figure.add_gridspec(rows, _COLUMNS)
    whole = figure.add_subplot(grid[0, :])
    _points(whole, trials, [trial.number for trial in trials])
    so_far = _best_so_far(trials)
    if so_far:
        whole.step(*zip(*so_far, strict=True), where="post", color="grey", label="best so far")
    whole.xaxis.set_major_locator(MaxNLocator(integer=True))
    whole.set_xlabel("trial")
    whole.set_ylabel("validation loss")
    if trials:
        whole.legend(frameon=False)
    for place, key in enumerate(space.keys):
        axes = figure.add_subplot(grid[1 + place // _COLUMNS, place % _COLUMNS])
        values = [trial.values[key] for trial in trials]
        if key in space.choices:
            order = list(space.choices[key])
            axes.set_xticks(range(len(order)), [str(value) for value in order])
            axes.set_xlim(-0.5, len(order) - 0.5)
            values = [order.index(value) for value in values]
        else:
            within = space.floats.get(key) or space.ints[key]
            if within.log:  # its own labels run into each other in a small picture
                ends = (within.low, (within.low * within.high) ** 0.5, within.high)
                axes.set_xscale("log")
                axes.set_xticks(ends, [f"{value:.2g}" for value in ends])
                axes.set_xticks([], minor=True)
            axes.set_xlim(within.low, within.high)
        _points(axes, trials, values)
        axes.set_xlabel(key)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=80)
    return buffer.getvalue()


def _points(axes: Axes, trials: Sequence[Trial], at: Sequence[float]) -> None:
    for state, mark in ((COMPLETE, "oC0"), (PRUNED, "^C1"), (FAILED, "xC3")):
        chosen = [(x, t.outcome.loss) for x, t in zip(at, trials, strict=True) if t.outcome.state == state]
        if chosen:
            # A failed one has no loss: it stands at the foot of the axes, whatever their scale.
            foot: dict[str, Any] = {"transform": axes.get_xaxis_transform()} if state == FAILED else {}
            heights = [0.03 if loss is None else loss for _, loss in chosen]
            axes.plot([x for x, _ in chosen], heights, mark, label=state, **foot)
    axes.grid(alpha=0.3)


def _best_so_far(trials: Sequence[Trial]) -> list[tuple[int, float]]:
    found: list[tuple[int, float]] = []
    for trial in trials:
        loss = trial.outcome.loss if trial.outcome.state == COMPLETE else None
        lowest = min(found[-1][1] if found else float("inf"), float("inf") if loss is None else loss)
        if lowest < float("inf"):
            found.append((trial.number, lowest))
    return found
