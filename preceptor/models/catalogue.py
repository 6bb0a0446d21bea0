"""The base-model catalogue, recipes/base-models.yaml."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from preceptor.errors import UsageError
from preceptor.models.architecture import Architecture
from preceptor.models.published import Score, Told
from preceptor.settings import ROOT, describe, read_yaml

CATALOGUE = ROOT / "recipes" / "base-models.yaml"


class CatalogueEntry(BaseModel):
    """One base model: where it comes from, under what licence, how large it is, and what was published of it.

    `gated` and `languages` (ISO 639-1) are None where they are not known; `more_languages`: its makers speak of others.
    `instruct`: it was trained to follow instructions. `advisory`: what its makers warn of. `card`: where that was read.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    licence: str
    parameters: int
    context: int  # tokens
    note: str = ""
    gated: bool | None = None
    languages: tuple[str, ...] | None = None
    more_languages: bool = False
    instruct: bool = True
    medical: bool = False
    advisory: str = ""
    scores: tuple[Score, ...] = ()
    card: Told | None = None
    sha256: str | None = None  # of the weights file as delivered
    architecture: Architecture | None = None  # None: its config.json says it


def load_catalogue(path: Path = CATALOGUE) -> dict[str, CatalogueEntry]:
    """Return the catalogue by name. Raises `UsageError` naming key, file and line."""
    values, lines = read_yaml(path)
    entries = {}
    for name, value in values.items():
        try:
            entries[name] = CatalogueEntry.model_validate(value)
        except ValidationError as error:
            origins = {key[1:]: f"{path}, line {line}" for key, line in lines.items() if key[0] == name}
            raise UsageError(describe(error, origins)) from None
    return entries
