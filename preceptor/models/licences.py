"""What licences allow a hospital, recipes/licences.yaml."""

from __future__ import annotations

from pathlib import Path

from preceptor.models.published import Told
from preceptor.settings import ROOT, read_as

LICENCES = ROOT / "recipes" / "licences.yaml"


class Licence(Told):
    """`commercial`: whether it allows commercial use, None where that is not known. `open`: an open-source licence.
    `clauses`: what a hospital should know of it, in our words."""

    commercial: bool | None
    open: bool
    clauses: tuple[str, ...]


def load_licences(path: Path = LICENCES) -> dict[str, Licence]:
    """Return the licences by the names that the catalogue uses. Raises `UsageError` naming key, file and line."""
    return read_as(path, dict[str, Licence])
