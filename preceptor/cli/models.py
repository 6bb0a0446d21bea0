"""`preceptor models`: the base-model catalogue."""

from __future__ import annotations

import click

from preceptor.cli._common import columns, emit, json_option, workspace
from preceptor.errors import UsageError


@click.group()
def models() -> None:
    """The base-model catalogue, recipes/base-models.yaml."""


@models.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Show every base model."""
    from preceptor.models import load_catalogue

    catalogue = load_catalogue()
    rows = [
        (name, e.licence, f"{e.parameters / 1e6:,.1f} M", e.context, e.source)
        for name, e in catalogue.items()
    ]
    emit(
        [{"name": name, **entry.model_dump()} for name, entry in catalogue.items()],
        as_json,
        columns(rows, ("name", "licence", "parameters", "context", "source")),
    )


@models.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Show one base model, and whether it is on this machine."""
    from preceptor.models import kept_folder, load_catalogue

    catalogue = load_catalogue()
    if name not in catalogue:
        raise UsageError(f"There is no base model {name!r}; `preceptor models list` shows them.")
    entry = catalogue[name]
    folder = kept_folder(entry.source, workspace())
    found = {"name": name, **entry.model_dump(), "here": str(folder) if folder else None}
    emit(found, as_json, "\n".join(f"{key}: {value}" for key, value in found.items()))
