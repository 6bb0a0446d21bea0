"""What every command shares: the workspace, the settings, and one way to print a result."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
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


def emit(data: Any, as_json: bool, table: str | Callable[[], str] | None = None) -> None:
    """Print a result: `data` as one JSON document, or `table` for people."""
    if as_json:
        click.echo(json.dumps(data, indent=2, ensure_ascii=False, default=str))
        return
    text = table() if callable(table) else table
    click.echo(text if text is not None else json.dumps(data, indent=2, ensure_ascii=False, default=str))


def columns(rows: Sequence[Sequence[Any]], header: Sequence[str]) -> str:
    """Lay rows out as a plain table for a terminal."""
    cells = [[str(c) for c in header], *[["" if c is None else str(c) for c in row] for row in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells]
    lines.insert(1, "  ".join("-" * w for w in widths))
    return "\n".join(lines)


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
