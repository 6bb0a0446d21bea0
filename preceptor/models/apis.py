"""Models that are had as a service only, and who offers them, recipes/api-models.yaml."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, model_validator

from preceptor.models.published import Score, Told
from preceptor.settings import ROOT, read_as

APIS = ROOT / "recipes" / "api-models.yaml"


class ApiProvider(Told):
    """Who answers. `baa`: whether it signs a business associate agreement, None where that is not known; `terms`: for what,
    and how."""

    title: str
    baa: bool | None
    terms: str = ""


class ApiModel(BaseModel):
    """`context` in tokens and `languages` (ISO 639-1): None where they are not known."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    maker: str
    context: int | None = None
    languages: tuple[str, ...] | None = None
    providers: tuple[str, ...] = Field(min_length=1)
    scores: tuple[Score, ...] = ()
    card: Told


class Apis(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    providers: dict[str, ApiProvider]
    models: dict[str, ApiModel]

    @model_validator(mode="after")
    def _providers_are_known(self) -> Apis:
        for name, model in self.models.items():
            if unknown := sorted(set(model.providers) - set(self.providers)):
                raise ValueError(f"{name}: {', '.join(unknown)} is none of providers")
        return self


def load_apis(path: Path = APIS) -> Apis:
    """Return the file. Raises `UsageError` naming key, file and line."""
    return read_as(path, Apis)
