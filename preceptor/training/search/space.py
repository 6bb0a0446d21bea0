"""A search space: a YAML file that says what of a recipe varies, how long a trial trains, and how values are chosen."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from preceptor.errors import UsageError
from preceptor.settings import read_yaml, validated
from preceptor.training.recipe import Recipe, laid_on

Scalar = bool | int | float | str

_MEASURE = "changes what is measured, and trials could not be compared"
_LENGTH = "is of the length of a trial, which `trial` says"
_SAME = "does not change what is learnt"
# What of a recipe does not vary, keys and whole sections, and why.
_FIXED = {
    "objective": _MEASURE,
    "preference": _MEASURE,
    "batch.max_length": _MEASURE,  # validation rows that are longer are left out
    "epochs": _LENGTH,
    "max_steps": _LENGTH,
    "max_minutes": _LENGTH,
    "stopping": _LENGTH,
    "seed": "that does well is luck",
    "precision": _SAME,
    "zero_stage": _SAME,
    "checkpointing": _SAME,
    "checkpoint_steps": _SAME,
}


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FloatRange(_Section):
    """From `low` to `high`, both included; `log`: every power of ten is as likely."""

    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> FloatRange:
        _require_ordered(self.low, self.high, self.log)
        return self


class IntRange(_Section):
    """The same, of whole numbers."""

    low: int
    high: int
    log: bool = False

    @model_validator(mode="after")
    def _ordered(self) -> IntRange:
        _require_ordered(self.low, self.high, self.log)
        return self


class Length(_Section):
    """How long a trial trains, in the words of a recipe: its own say it for the training that follows."""

    epochs: float = Field(default=1.0, gt=0)
    max_steps: int = Field(default=0, ge=0)  # 0: as many as the epochs take
    max_minutes: float = Field(default=0, ge=0)  # 0: no limit
    evaluate_steps: int = Field(default=0, ge=0)  # 0: once a pass


class Sampler(_Section):
    """`tpe`: where good trials are denser than others (Bergstra et al. 2011), after `random` trials by chance."""

    name: Literal["tpe"] = "tpe"
    random: int = Field(default=5, ge=1)


class Pruning(_Section):
    """`median`: a trial ends where its lowest loss is above the median loss of earlier ones at the same step (the rule of
    Golovin et al. 2017, in the form of Optuna's MedianPruner), once `trials` are whole, and never in its first
    `evaluations`."""

    rule: Literal["median", "none"] = "median"
    trials: int = Field(default=4, ge=1)
    evaluations: int = Field(default=1, ge=0)


class Space(_Section):
    """What a search goes through; recipes/search/ has a commented one. The keys of `floats`, `ints` and `choices` are those
    of a recipe, dotted. `metric` has one value: of the test split nothing is measured here."""

    metric: Literal["validation_loss"] = "validation_loss"
    trials: int = Field(default=12, ge=1)
    trial: Length = Length()
    seed: int = 20
    sampler: Sampler = Sampler()
    pruning: Pruning = Pruning()
    floats: dict[str, FloatRange] = Field(default_factory=dict)
    ints: dict[str, IntRange] = Field(default_factory=dict)
    choices: dict[str, tuple[Scalar, ...]] = Field(default_factory=dict)

    @property
    def keys(self) -> list[str]:
        """The keys of a recipe that vary."""
        return sorted((*self.floats, *self.ints, *self.choices))

    def holds(self, key: str, value: Any) -> bool:
        """Whether the value of a key that varies is in its range, or one of its choices."""
        if key in self.choices:
            return value in self.choices[key]
        within = self.floats.get(key) or self.ints[key]
        return isinstance(value, int | float) and within.low <= value <= within.high

    def own(self, recipe: Recipe) -> dict[str, Any] | None:
        """The recipe's own values of the keys that vary; None where one of them is outside of the space."""
        values = {key: value_at(recipe, key) for key in self.keys}
        return values if all(self.holds(key, value) for key, value in values.items()) else None

    def trial_of(self, recipe: Recipe, values: dict[str, Any]) -> Recipe:
        """The recipe of a trial: with those values, and as long as a trial is.

        Raises `ValidationError` where they do not fit together.
        """
        length = self.trial
        changes = {
            "epochs": length.epochs,
            "max_steps": length.max_steps,
            "max_minutes": length.max_minutes,
            # The loss is all that is wanted of it: no weights are kept.
            "stopping": {"patience": 0, "keep": "last", "evaluate_steps": length.evaluate_steps},
        }
        return Recipe(**laid_on(recipe.model_dump(), {**values, **changes}))


def load_space(path: Path, recipe: Recipe) -> Space:
    """Return the space of a file, which must fit the recipe. Raises `UsageError` naming key, file and line."""
    values, lines = read_yaml(path)
    space = validated(Space, values, path, lines)
    said = []
    for key, what in _problems(space, recipe):
        line = next((lines[key[:n]] for n in range(len(key), 0, -1) if key[:n] in lines), 1)
        said.append(f"{path}, line {line}: {'.'.join(key)}: {what}")
    if said:
        raise UsageError("\n".join(said))
    return space


def value_at(recipe: Recipe, key: str) -> Any:
    """The value of a dotted key."""
    value: Any = recipe
    for part in key.split("."):
        value = getattr(value, part)
    return value


def _require_ordered(low: float, high: float, log: bool) -> None:
    if not low < high:
        raise ValueError("low must be below high")
    if log and low <= 0:
        raise ValueError("on a logarithmic scale low must be above 0")


def _problems(space: Space, recipe: Recipe) -> Iterator[tuple[tuple[str, ...], str]]:
    """What does not fit: the place in the file, and why."""
    if not space.keys:
        yield ("floats",), "name a key of the recipe under floats, ints or choices"
    if space.pruning.rule == "median" and "batch.tokens" in space.keys:
        yield (
            ("pruning", "rule"),
            "trials are compared at the same step, and batch.tokens changes how much a step has seen: set none",
        )
    seen: set[str] = set()
    for section, keys in (("floats", space.floats), ("ints", space.ints), ("choices", space.choices)):
        for key in keys:
            if key in seen:
                yield (section, key), "stands in two sections"
            seen.add(key)
            fixed = next((why for name, why in _FIXED.items() if f"{key}.".startswith(f"{name}.")), None)
            if fixed:
                yield (section, key), f"cannot vary: {key.split('.')[-1]} {fixed}"
            else:
                yield from _unfit(space, section, key, recipe)


def _unfit(space: Space, section: str, key: str, recipe: Recipe) -> Iterator[tuple[tuple[str, ...], str]]:
    """The values of a key that a recipe would not take."""
    if section == "choices":
        choices = space.choices[key]
        if len(set(choices)) < max(2, len(choices)):
            yield (section, key), "name two different choices or more"
        tried: list[tuple[tuple[str, ...], Scalar]] = [((section, key), value) for value in choices]
    else:
        within = space.floats[key] if section == "floats" else space.ints[key]
        # One between, too, which is no whole number: a range of floats may stand at a key of ints.
        between = within.low + (within.high - within.low) / math.pi
        tried = [((section, key, "low"), within.low), ((section, key, "high"), within.high)]
        tried += [((section, key), between)] if section == "floats" else []
    for place, value in tried:
        if wrong := _refused(recipe, key, value):
            yield place, f"{value!r}: {wrong}"
            return


def _refused(recipe: Recipe, key: str, value: Any) -> str | None:
    try:
        Recipe(**laid_on(recipe.model_dump(), {key: value}))
    except ValidationError as error:
        # What does not fit together with other keys has no place, and may fit together with other values of these.
        of_key = [problem for problem in error.errors() if problem["loc"]]
        if of_key:
            return "no key of a recipe" if of_key[0]["type"] == "extra_forbidden" else of_key[0]["msg"]
    return None
