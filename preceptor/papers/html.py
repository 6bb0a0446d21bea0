"""A document as one HTML file: no script, nothing from outside, readable on a phone and printed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from preceptor.papers.blocks import Bullets, Document, Entry, State, Table, entries
from preceptor.papers.facts import Facts

TEMPLATES = Path(__file__).parent / "templates"
TO_SUPPLY = "To be supplied: "


def html(paper: Document, facts: Facts) -> str:
    """Return the page."""
    return _template("paper.html.j2").render(
        paper=paper, facts=facts, head=heading(facts), legend=legend(paper), made=made(facts), style=style()
    )


def index(papers: Sequence[Document], facts: Facts) -> str:
    """Return the page that lists the documents."""
    return _template("index.html.j2").render(
        papers=papers, facts=facts, head=heading(facts), made=made(facts), style=style()
    )


def heading(facts: Facts) -> list[tuple[str, str]]:
    """Which version and which facts the document is about."""
    return [
        ("Model version", facts.ref),
        ("Status", facts.status + (f" (aliases: {', '.join(facts.aliases)})" if facts.aliases else "")),
        ("SHA-256 of the version's files", facts.digest),
        ("Facts as of", facts.as_of[:16].replace("T", " ") + " UTC"),
    ]


def made(facts: Facts) -> str:
    """How the document came to be, and what tells two of them apart."""
    return (
        "Made by Preceptor from recorded facts and from statements of the settings (papers); nothing in it was written by a model. "
        f"Facts {facts.digest_of_facts}."
    )


def legend(paper: Document) -> list[State]:
    """The states that occur, in order."""
    used = {state for each in entries(paper) for state in each.states}
    return [state for state in State if state in used]


def style() -> Any:
    """The style sheet of all pages."""
    from markupsafe import Markup

    return Markup((TEMPLATES / "paper.css").read_text(encoding="utf-8"))


@cache
def _template(name: str) -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(TO_SUPPLY=TO_SUPPLY, STATED=State.STATED)
    for kind in (Entry, Table, Bullets):
        environment.tests[kind.__name__.lower()] = lambda block, kind=kind: isinstance(block, kind)
    return environment.get_template(name)
