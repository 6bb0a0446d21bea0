"""What licences allow a hospital, recipes/licences.yaml."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from preceptor.errors import UsageError
from preceptor.models.published import Told
from preceptor.settings import ROOT, describe, read_yaml

LICENCES = ROOT / "recipes" / "licences.yaml"


class Licence(Told):
    """`commercial`: whether it allows commercial use, None where that is not known. `open`: an open-source licence.
    `clauses`: what a hospital should know of it, in our words."""

    commercial: bool | None
    open: bool
    clauses: tuple[str, ...]


def load_licences(path: Path = LICENCES) -> dict[str, Licence]:
    """Return the licences by the names that the catalogue uses. Raises `UsageError` naming key, file and line."""
    values, lines = read_yaml(path)
    found = {}
    for name, value in values.items():
        try:
            found[name] = Licence.model_validate(value)
        except ValidationError as error:
            origins = {key[1:]: f"{path}, line {line}" for key, line in lines.items() if key[0] == name}
            raise UsageError(describe(error, origins)) from None
    return found
