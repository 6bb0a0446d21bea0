"""`preceptor models`: the base-model catalogue."""

from __future__ import annotations

from pathlib import Path

import click

from preceptor.cli._common import columns, emit, json_option, settings, workspace
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


@models.command()
@click.argument("adapter")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--base", "base_ref", metavar="REF", help="The base model. [default: the setting base_model]")
@click.option("--check/--no-check", default=True, help="Compare logits with PEFT's; both models must fit.")
@json_option
def merge(adapter: str, out: Path, base_ref: str | None, check: bool, as_json: bool) -> None:
    """Merge an adapter (a model version or a folder) into its base: OUT is a model that Transformers loads as it is.

    The base is read and written shard by shard; the whole model is in memory only for the check.
    """
    from preceptor.models import resolve
    from preceptor.progress import reporter
    from preceptor.training import merging
    from preceptor.training.jobs import STAGE

    ours = workspace()
    folder = Path(adapter) if Path(adapter).is_dir() else ours.models / STAGE / adapter
    if not folder.is_dir():
        raise UsageError(f"{adapter}: neither a folder nor a version in {ours.models / STAGE}.")
    base = resolve(base_ref or settings().base_model, ours)
    merging.same_base(folder, base.digest)
    facts = merging.merge(base.path, folder, out, reporter("shards"))
    if check:
        facts |= merging.check(base.path, folder, out)
    said = "\n".join(f"{key}: {value}" for key, value in facts.items())
    emit({"path": str(out), **facts}, as_json, f"{said}\nwritten: {out}")
