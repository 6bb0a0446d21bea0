"""`preceptor storage`: finished versions in an object store."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from preceptor.cli._common import columns, emit, json_option, settings, workspace
from preceptor.errors import UsageError

if TYPE_CHECKING:
    from preceptor.storage.home import Done


@click.group()
def storage() -> None:
    """The object store of `storage.url`: finished versions are kept there beside the home."""


@storage.command()
@click.option("--check", is_flag=True, help="Read what is there again, and send anew what was changed.")
@json_option
@click.pass_context
def push(ctx: click.Context, check: bool, as_json: bool) -> None:
    """Send the finished versions that the store lacks, and those from which a patient was erased since. Exit 1 if one was left."""
    from preceptor.storage.home import objects_of
    from preceptor.storage.home import push as send

    done = send(workspace(), objects_of(workspace(), settings()), check)
    emit(done.facts(), as_json, lambda: _said(done, "sent"))
    if done.left:
        ctx.exit(1)


@storage.command()
@click.option("--stage", metavar="NAME", help="Only this stage.")
@click.option("--version", "name", metavar="NAME", help="This version of the stage. [default: its newest]")
@click.option("--all", "everything", is_flag=True, help="Every version, not only the newest of each stage.")
@json_option
@click.pass_context
def pull(ctx: click.Context, stage: str | None, name: str | None, everything: bool, as_json: bool) -> None:
    """Fetch versions that this home lacks, each with what it was made from. Every file is checked first; exit 1 if one was changed."""
    from preceptor.storage.around import erased_patients
    from preceptor.storage.home import find, objects_of
    from preceptor.storage.home import pull as fetch

    if (name and not stage) or (stage and everything):
        raise UsageError("--version goes with --stage, and --all with neither.")
    objects = objects_of(workspace(), settings())
    wanted = [find(objects, stage, name)] if stage else None
    erased = erased_patients(workspace(), settings())
    done = fetch(workspace(), objects, erased, wanted=wanted, everything=everything)
    emit(done.facts(), as_json, lambda: _said(done, "fetched"))
    if done.left:
        ctx.exit(1)


@storage.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Show which versions are in the home, in the store, or in both."""
    from preceptor.storage.home import objects_of, rows

    found = rows(workspace(), objects_of(workspace(), settings()))

    def said() -> str:
        cells = [
            (r.stage, r.name, "yes" if r.home else "", "newest" if r.newest else "yes" if r.store else "")
            for r in found
        ]
        return (
            columns(cells, ("stage", "version", "home", "store")) if cells else "No version, here or there."
        )

    emit([asdict(row) for row in found], as_json, said)


def _said(done: Done, what: str) -> str:
    lines = [f"{len(done.versions)} versions {what}, {done.files} files, {done.bytes / 1e6:,.1f} MB"]
    lines += [f"  {key}" for key in done.versions]
    lines += [f"waits: {key}: {reason}" for key, reason in done.waiting.items()]
    lines += [f"left: {key}: {reason}" for key, reason in done.left.items()]
    return "\n".join(lines)
