"""The reference of commands and settings, from the program itself: `python docs/reference/generate.py` writes commands.md and
settings.md beside this file. A test compares them with what it would write.
"""

from __future__ import annotations

import ast
import inspect
import io
import json
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import click
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))


def commands() -> str:
    """Every command with its arguments, options and defaults."""
    from preceptor.cli import root

    lines = ["# Commands", "Made by `docs/reference/generate.py` from the program's own help.", ""]
    for path, command in _walk(root, ("preceptor",)):
        context = click.Context(command, info_name=" ".join(path))
        lines += [f"{'#' * min(4, len(path) + 1)} {' '.join(path)}", ""]
        if command.help:
            lines += [" ".join(inspect.cleandoc(command.help).split()), ""]
        usage = " ".join(command.collect_usage_pieces(context))
        lines += [f"    {' '.join(path)} {usage}", ""]
        rows = [found for p in command.get_params(context) if (found := p.get_help_record(context))]
        rows = [row for row in rows if row[0] not in ("-h, --help", "--help")]
        if rows:
            lines += ["| option | |", "|---|---|"]
            lines += [f"| `{_cell(name)}` | {_cell(said)} |" for name, said in rows]
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _walk(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            if (below := command.get_command(context, name)) is not None and not below.hidden:
                yield from _walk(below, (*path, name))


def settings() -> str:
    """Every key of the configuration with its type, its default and the comment beside it."""
    from preceptor.settings import Settings

    lines = [
        "# Settings",
        "Made by `docs/reference/generate.py` from `preceptor/settings.py`: every key of the file that `--config` names, as it is where",
        "neither the profile nor the file says otherwise.",
        "",
    ]
    for path, model in _sections(Settings, ""):
        said = inspect.cleandoc(model.__doc__ or "").split("\n\n")[0]
        lines += [f"## {path or 'At the top'}", ""]
        if path and said and model.__doc__ != BaseModel.__doc__:
            lines += [" ".join(said.split()), ""]
        lines += ["| key | type | default | |", "|---|---|---|---|"]
        comments = _comments(model)
        for name, field in model.model_fields.items():
            if _is_section(field.annotation):
                continue
            kind = _cell(_type(field.annotation))
            lines.append(
                f"| `{name}` | {kind} | {_cell(_default(field))} | {_cell(comments.get(name, ''))} |"
            )
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def _sections(model: type[BaseModel], path: str) -> Iterator[tuple[str, type[BaseModel]]]:
    yield path, model
    for name, field in model.model_fields.items():
        whole = f"{path}.{name}" if path else name
        for below, many in _models_in(field.annotation):
            yield from _sections(below, f"{whole}.NAME" if many else whole)


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _models_in(annotation: Any) -> list[tuple[type[BaseModel], bool]]:
    """The sections that a field holds: itself, one of a union, or many under names of the user's."""
    if _is_section(annotation):
        return [(annotation, False)]
    many = get_origin(annotation) in (dict, list, tuple)
    return [(found, many or deeper) for part in get_args(annotation) for found, deeper in _models_in(part)]


def _type(annotation: Any) -> str:
    if annotation is Ellipsis:
        return "…"
    if annotation is type(None):
        return "null"
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(parts[0])
    if origin is Literal:
        return " | ".join(json.dumps(part) for part in parts)
    if origin in (Union, UnionType):
        return " | ".join(_type(part) for part in parts)
    if origin is not None:
        return f"{getattr(origin, '__name__', origin)}[{', '.join(_type(part) for part in parts)}]"
    if _is_section(annotation):
        return "section"
    return str(getattr(annotation, "__name__", annotation))


def _default(field: Any) -> str:
    value = field.default_factory() if field.default_factory else field.default
    if value is PydanticUndefined:
        return "*must be given*"
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    text = json.dumps(value, default=str, ensure_ascii=False)
    return f"`{text}`" if len(text) <= 90 else f"`{text[:80]}…`"


def _comments(model: type[BaseModel]) -> dict[str, str]:
    """The comment beside each field, or the lines of comment right above it."""
    source = inspect.getsource(model)
    said = {
        token.start[0]: (token.string.lstrip("# ").strip(), token.line.strip().startswith("#"))
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT and not token.string.startswith(("# fmt", "# noqa"))
    }
    found: dict[str, str] = {}
    (body,) = ast.parse(source).body
    assert isinstance(body, ast.ClassDef)
    for node in body.body:
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.target, ast.Name):
            continue
        above, line = [], node.lineno - 1
        while line in said and said[line][1]:
            above.insert(0, said[line][0])
            line -= 1
        beside = [said[n][0] for n in range(node.lineno, (node.end_lineno or node.lineno) + 1) if n in said]
        found[node.target.id] = " ".join([*above, *beside])
    return found


def _cell(text: str) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")


PAGES = {"commands.md": commands, "settings.md": settings}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")
