"""`preceptor models`: the base-model catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from preceptor.cli._common import columns, emit, json_option, settings, workspace
from preceptor.cli.models_recommend import recommend
from preceptor.errors import UsageError

if TYPE_CHECKING:
    from preceptor.models import Apis, Score


_SHORT = 20  # characters of what is listed in one line


@click.group()
def models() -> None:
    """The base-model catalogue, recipes/base-models.yaml."""


@models.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Show every base model, and every model that is had as a service."""
    from preceptor.models import load_apis, load_catalogue

    catalogue, apis = load_catalogue(), load_apis()
    rows = [
        (name, e.licence, f"{e.parameters / 1e6:,.1f} M", f"{e.context:,}", _scores(e.scores), e.source)
        for name, e in catalogue.items()
    ]
    services = [
        (
            name,
            e.maker,
            f"{e.context:,}" if e.context else "?",
            _scores(e.scores),
            ", ".join(f"{who} ({_signs(apis.providers[who].baa)})" for who in e.providers),
        )
        for name, e in apis.models.items()
    ]
    emit(
        [
            {"name": name, "kind": "weights", **entry.model_dump(mode="json")}
            for name, entry in catalogue.items()
        ]
        + [_service(name, apis) for name in apis.models],
        as_json,
        columns(rows, ("name", "licence", "parameters", "context", "published scores", "source"))
        + "\n\nAs a service only; BAA: whether a business associate agreement is to be had.\n"
        + columns(services, ("name", "maker", "context", "published scores", "from (BAA)")),
    )


@models.command()
@click.argument("name")
@json_option
def show(name: str, as_json: bool) -> None:
    """Show one model: what its licence allows, its published scores, and whether it is on this machine."""
    from preceptor.models import kept_folder, load_apis, load_catalogue, load_licences

    catalogue, apis = load_catalogue(), load_apis()
    if name in apis.models:
        found = _service(name, apis)
    elif name in catalogue:
        entry, licences = catalogue[name], load_licences()
        folder = kept_folder(entry.source, workspace())
        terms = licences[entry.licence].model_dump(mode="json") if entry.licence in licences else None
        found = {
            "name": name,
            "kind": "weights",
            **entry.model_dump(mode="json"),
            "licence_terms": terms,
            "here": str(folder) if folder else None,
        }
    else:
        raise UsageError(f"There is no base model {name!r}; `preceptor models list` shows them.")
    emit(found, as_json, "\n".join(_lines({**found, "here": found.get("here") or "no"})))


def _service(name: str, apis: Apis) -> dict[str, Any]:
    entry = apis.models[name]
    offered = {who: apis.providers[who].model_dump(mode="json") for who in entry.providers}
    return {"name": name, "kind": "service", **entry.model_dump(mode="json"), "providers": offered}


def _scores(scores: Iterable[Score]) -> str:
    """The scores in brief: those that were had without tuning on the benchmark."""
    return ", ".join(f"{one.benchmark} {one.value:g}" for one in scores if not one.tuned) or "?"


def _signs(baa: bool | None) -> str:
    return {True: "BAA", False: "no BAA", None: "BAA not known"}[baa]


def _lines(found: Any, indent: str = "") -> Iterator[str]:
    """Nested facts as indented lines; what is not known is a question mark."""
    pairs = found.items() if isinstance(found, dict) else (("-", value) for value in found)
    for key, value in pairs:
        if isinstance(value, dict) or (isinstance(value, list) and value and not isinstance(value[0], str)):
            yield f"{indent}{key}:"
            yield from _lines(value, indent + "  ")
        elif isinstance(value, list) and any(len(part) > _SHORT for part in value):
            yield f"{indent}{key}:"
            yield from (f"{indent}  - {part}" for part in value)
        elif isinstance(value, list):
            yield f"{indent}{key}: {', '.join(value) or 'none'}"
        else:
            yield f"{indent}{key}: {'?' if value is None else value}"


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


models.add_command(recommend)
