"""The base-model catalogue, recipes/base-models.yaml."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from preceptor.models.architecture import Architecture
from preceptor.models.published import Score, Told
from preceptor.settings import ROOT, read_as

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
    return read_as(path, dict[str, CatalogueEntry])
