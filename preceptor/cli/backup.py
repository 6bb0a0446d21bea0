"""`preceptor backup` and `preceptor restore`: a whole home in one file."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from preceptor.cli._common import emit, json_option, workspace


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--with-keys", is_flag=True, help="The master key too, if it lies in the home; guard the file as the key."
)
@json_option
def backup(file: Path, with_keys: bool, as_json: bool) -> None:
    """Write the home into FILE, also while it is in use. Keep the master key apart from it."""
    from preceptor.backup import back_up
    from preceptor.progress import reporter

    saved = back_up(workspace(), file, with_keys, reporter("files"))
    keys = "The keys are in it." if saved.keys else "The keys are not in it: keep the master key elsewhere."
    emit(asdict(saved), as_json, f"{saved.files:,} files, {saved.bytes / 1e6:,.0f} MB: {file}\n{keys}")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def restore(file: Path, as_json: bool) -> None:
    """Make a new home (--home) from FILE. Every file is checked first."""
    from preceptor.backup import restore as make

    home = workspace()
    saved = make(file, home)
    said = f"{saved.files:,} files, {saved.bytes / 1e6:,.0f} MB: {home.home}"
    if not saved.keys:
        said += f"\nNow put the master key in its place ({home.keys}, or PRECEPTOR_MASTER_KEY_FILE)."
    emit(
        asdict(saved),
        as_json,
        f"{said}\nThen look: preceptor vault verify; preceptor release verify; preceptor doctor.",
    )
