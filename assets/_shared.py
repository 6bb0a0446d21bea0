"""What every asset shares: a wall that keeps texts of errors out of Dagster's storage, progress, and metadata."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import dagster as dg

from preceptor import disk
from preceptor.errors import PreceptorError, kind_and_place
from preceptor.progress import Progress, reporter
from preceptor.settings import default_home
from resources import WorkspaceResource

P = ParamSpec("P")
R = TypeVar("R")

# One partition a batch of documents; intake adds them.
batches = dg.DynamicPartitionsDefinition(name="batches")

OWNERS = {"privacy": ["team:privacy"], "ml": ["team:ml"], "clinical": ["team:clinical"]}


def quiet(function: Callable[P, R]) -> Callable[P, R]:
    """Let an asset fail without the text of an unforeseen error: Dagster would keep it for ever, and it may quote a
    note. Our own errors are written to be shown. The failure is raised outside the except block, so that it has no
    context either."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except dg.Failure:
            raise
        except PreceptorError as error:
            said = str(error)
        except Exception as error:
            workspace = kwargs.get("workspace")
            said = shown(
                error,
                workspace.workspace().home if isinstance(workspace, WorkspaceResource) else default_home(),
            )
        raise dg.Failure(description=said, allow_retries=False)

    return wrapped


def kept(*roots: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Where there is an object store (`storage.url`): fetch what this home lacks of the folders `roots` before the work, and
    send what is finished after it."""

    def around(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
            from preceptor.storage.around import fetch_missing, send_finished

            of: Any = kwargs["workspace"]
            context: Any = args[0] if args else None  # Dagster gives it by its place, and all else by name
            home, settings, say = of.workspace(), of.settings(), teller(context)
            if roots:
                fetch_missing(home, settings, say, roots)
            result = function(*args, **kwargs)
            send_finished(home, settings, say)
            return result

        return wrapped

    return around


def shown(error: BaseException, home: Path) -> str:
    """What may be said of an error that nobody foresaw in a stage: that the disk of the home is full, or its kind and place."""
    if disk.is_full(error, home):
        return str(disk.full(home))
    return f"unexpected {kind_and_place(error)}"


def teller(context: dg.AssetExecutionContext | None) -> Callable[[str], None]:
    """Lines to standard error, for whoever ran a job there, and to the run's log in the UI where the context is known."""

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)
        if context is not None:
            context.log.info(line)

    return say


def progress(context: dg.AssetExecutionContext, what: str) -> Progress:
    """Progress to where `teller` tells."""
    return reporter(f"  {what}", teller(context))


def table(
    rows: Mapping[str, Mapping[str, Any]] | Mapping[str, Any], header: tuple[str, ...]
) -> dg.MetadataValue:
    """A Markdown table of counts for the metadata of an asset."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    for name, row in rows.items():
        cells = list(row.values()) if isinstance(row, Mapping) else [row]
        lines.append(
            "| " + " | ".join(f"{c:.4g}" if isinstance(c, float) else str(c) for c in (name, *cells)) + " |"
        )
    return dg.MetadataValue.md("\n".join(lines))


def picture(png: bytes, about: str) -> dg.MetadataValue:
    """A plot for the metadata of an asset. It stays in the event log: keep it small."""
    import base64

    return dg.MetadataValue.md(f"![{about}](data:image/png;base64,{base64.b64encode(png).decode()})")
