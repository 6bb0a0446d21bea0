"""Which key of the settings somebody may have meant who wrote one that there is not."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, get_args, get_origin

from pydantic import BaseModel


def near_key(kind: Any, path: Sequence[str]) -> str | None:
    """The key of a pydantic model that is most like the last one of `path`, beside it; None if none is like it.

    >>> class Training(BaseModel):
    ...     recipe: str
    >>> near_key(Training, ["recpie"])
    'recipe'
    """
    kind = _model_in(kind)
    for name in path[:-1]:
        field = kind.model_fields.get(name) if kind else None
        kind = _model_in(field.annotation) if field else None
    found = get_close_matches(path[-1], kind.model_fields, 1) if kind and path else []
    return found[0] if found else None


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that an annotation is, or may be; none of the values of a mapping, whose keys are anybody's."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (dict, list, tuple):
        return None
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
