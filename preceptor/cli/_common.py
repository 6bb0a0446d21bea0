"""What every command shares: the workspace, the settings, and one way to print a result."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from itertools import zip_longest
from pathlib import Path
from shlex import quote
from typing import Any

import click

from preceptor.errors import UsageError
from preceptor.settings import Settings, Workspace, default_home, load_settings

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document and nothing else."
)


def _global(name: str) -> Any:
    return (click.get_current_context().find_root().obj or {}).get(name)


def workspace() -> Workspace:
    """The workspace of `--home`."""
    return Workspace(_global("home") or default_home())


def settings(profile: str | None = None) -> Settings:
    """The settings of `--config` on top of a profile. Raises `UsageError` if they are wrong."""
    config: Path | None = _global("config")
    return load_settings(profile, config)


def program(home: bool = False) -> str:
    """How this program is called from here, for commands that are printed to be typed next; with the options `--home` and
    `--config` of this call, if `home`."""
    if "UV" in os.environ or (shutil.which("preceptor") is None and shutil.which("uv")):
        called = "uv run preceptor"
    else:
        called = (
            "preceptor" if shutil.which("preceptor") else str(Path(sys.executable).with_name("preceptor"))
        )
    for option in ("home", "config") if home else ():
        # What the environment says it goes on saying.
        if (given := _global(option)) and not os.environ.get(f"PRECEPTOR_{option.upper()}"):
            called += f" --{option} {quote(str(given))}"
    return called


def emit(data: Any, as_json: bool, table: str | Callable[[], str] | None = None) -> None:
    """Print a result: `data` as one JSON document, or `table` for people."""
    if as_json:
        click.echo(json.dumps(data, indent=2, ensure_ascii=False, default=str))
        return
    text = table() if callable(table) else table
    click.echo(text if text is not None else json.dumps(data, indent=2, ensure_ascii=False, default=str))


def columns(rows: Sequence[Sequence[Any]], header: Sequence[str]) -> str:
    """Lay rows out as a plain table. On a terminal long cells go over several lines, so that the table keeps to its width;
    elsewhere a row is a line, for `grep`."""
    cells = [[str(c) for c in header], *[["" if c is None else str(c) for c in row] for row in rows]]
    widths = _widths(cells, terminal_width())
    laid = [[_lines(c, w) for c, w in zip(row, widths, strict=True)] for row in cells]
    laid.insert(1, [["-" * w] for w in widths])
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip()
        for row in laid
        for line in zip_longest(*row, fillvalue="")
    )


def _lines(cell: str, width: int) -> list[str]:
    return (
        textwrap.wrap(cell, width, break_long_words=False, break_on_hyphens=False)
        if len(cell) > width
        else [cell]
    )


def _widths(cells: Sequence[Sequence[str]], room: int | None) -> list[int]:
    """How wide each column is: as its longest cell, or less where there is no room for all, but no word is broken."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    least = [
        max((len(w) for c in column for w in c.split()), default=0) for column in zip(*cells, strict=True)
    ]
    over = 0 if room is None else sum(widths) + 2 * (len(widths) - 1) - room
    while over > 0 and (wide := [n for n, w in enumerate(widths) if w > least[n]]):
        widths[max(wide, key=lambda n: widths[n])] -= 1
        over -= 1
    return widths


def terminal_width() -> int | None:
    """Columns of the terminal that standard output is; None where it is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def prose(text: str, hanging: str = "") -> str:
    """A sentence as it is, or broken between words at the width of the terminal; `hanging` begins all lines but the first."""
    width = terminal_width()
    if width is None:
        return text
    return textwrap.fill(
        text, width, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False
    )


def set_values(changes: Sequence[str]) -> dict[str, Any]:
    """The values that options `--set KEY=VALUE` give, read as YAML. Raises `UsageError` for one without `=`."""
    import yaml

    result = {}
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals:
            raise UsageError(f"--set takes KEY=VALUE; {change!r} has no '='.")
        result[key] = yaml.safe_load(value)
    return result
