"""What to change in a recipe that does not fit, so that it does: the change that costs least time or learning first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from pydantic import ValidationError

from preceptor.errors import PreceptorError
from preceptor.training.recipe import Recipe, laid_on

_SHORTEST = 256  # tokens of a pack; few examples are shorter with their document
_CHECKPOINTING = {"checkpointing": "on"}


class DoesNotFit(PreceptorError):
    """The estimate is beyond the memory that is free; nothing was started."""


def instead(
    recipe: Recipe, fits: Callable[[Recipe], bool], on_cuda: bool, processes: int
) -> dict[str, Any] | None:
    """The least of the changes (dotted keys) after which `fits` says yes; None if none does.

    In this order: activations computed again (a third more time), shorter packs (longer examples are left out, half at a
    time), LoRA instead of what learns more, 4 bits on a GPU, the model in parts over the processes' GPUs (ZeRO-3).
    """
    for changes in _candidates(recipe, on_cuda, processes):
        try:
            changed = Recipe(**laid_on(recipe.model_dump(mode="json"), changes))
        except ValidationError:
            continue  # a combination that the trainer does not carry out
        if fits(changed):
            return changes
    return None


def refusal(said: str, changes: dict[str, Any] | None, model: str, method: str) -> DoesNotFit:
    """What a person is told: the estimate, the change that helps, or where to look for a machine."""
    line = f"{said} (rule does-not-fit). Nothing was started. "
    if changes is not None:
        sets = " ".join(f"--set {key}={value}" for key, value in changes.items())
        return DoesNotFit(f"{line}The least change that fits here: preceptor train {sets}")
    return DoesNotFit(
        f"{line}No change of the recipe makes it fit here; 'preceptor size --model {model} --method {method}' says which "
        "machine does, and for how much."
    )


def _candidates(recipe: Recipe, on_cuda: bool, processes: int) -> Iterator[dict[str, Any]]:
    lighter: list[dict[str, Any]] = [{}]
    if recipe.method.name not in ("lora", "ia3", "prompt", "qlora"):
        lighter.append({"method.name": "lora"})
    if on_cuda and recipe.method.name != "qlora":
        lighter.append({"method.name": "qlora"})
    if on_cuda and processes > 1 and recipe.zero_stage < 3:
        lighter.append({"zero_stage": 3})
    for less in lighter:
        again = [{}] if recipe.checkpointing == "on" else [{}, _CHECKPOINTING]
        for changes in chain((less | more for more in again), _shorter(recipe, less | _CHECKPOINTING)):
            if changes:
                yield changes


def _shorter(recipe: Recipe, changes: dict[str, Any]) -> Iterator[dict[str, Any]]:
    length = recipe.batch.max_length // 2
    while length >= _SHORTEST:
        yield changes | {"batch.max_length": length}
        length //= 2
