"""What the documentation names is there."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("docs/**/*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
_LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)(?:#([^)\s]+))?\)")


def anchors(page: Path) -> set[str]:
    """Those of a page's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    broken = []
    for path, anchor in _LINK.findall(page.read_text(encoding="utf-8")):
        target = (page.parent / path).resolve()
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(f"{path}#{anchor}")
    assert broken == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_tests_and_files_that_are_named_exist(page):
    text = page.read_text(encoding="utf-8")
    known = {
        name
        for file in (ROOT / "tests").rglob("*.py")
        for name in re.findall(r"^def (test_\w+)", file.read_text(encoding="utf-8"), re.M)
    }
    named = set() if page.parent.name == "reference" else set(re.findall(r"`(test_\w+)`", text))
    files = set(
        re.findall(r"`((?:preceptor|tests|benchmarks|assets|pipelines|recipes)/[\w./-]+\.\w+)`", text)
    )
    assert named - known == set()
    placeholders = {file for file in files if Path(file).stem.isupper()}
    assert {file for file in files - placeholders if not (ROOT / file).exists()} == set()


def test_the_reference_is_that_of_the_program():
    made = runpy.run_path(str(ROOT / "docs" / "reference" / "generate.py"))["PAGES"]
    stale = [
        n for n, page in made.items() if (ROOT / "docs/reference" / n).read_text(encoding="utf-8") != page()
    ]
    assert stale == [], "python docs/reference/generate.py"


def test_every_page_is_in_the_sites_list():
    listed = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")))
    assert listed == {page.relative_to(ROOT / "docs").as_posix() for page in ROOT.glob("docs/**/*.md")}


def not_there(command: str) -> str | None:
    """The first word of a command line that the program does not know as a command or an option of it; None if it knows all.
    tests/pipeline/test_documented.py runs those that stand by themselves."""
    from preceptor.cli import root

    found: click.Command = root
    for word in re.findall(r"[\w-]+", command):
        if word.isupper():
            continue  # what the reader replaces
        options = {option for param in found.params for option in (*param.opts, *param.secondary_opts)}
        if word.startswith("--") and word not in options | {"--json"}:
            return word
        if isinstance(found, click.Group) and not word.startswith("-"):
            below = found.get_command(click.Context(found), word)
            if below is None:
                return None if found.params and found is not root else word
            found = below
    return None


def test_it_notices_what_is_not_there():
    assert not_there("data sufficiency --curve") is None
    assert not_there("--home NEW data sufficiency") is None
    assert not_there("data sufficency") == "sufficency"
    assert not_there("train --recipes FILE") == "--recipes"


@pytest.mark.parametrize("folder", ["docs", "preceptor", "assets", "pipelines", "."])
def test_commands_in_sentences_have_these_names_and_options(folder):
    """Of the pages, and of what the program itself says to type next."""
    files = [
        f for f in (ROOT / folder).glob("*.md" if folder == "." else "**/*") if f.suffix in (".md", ".py")
    ]
    named = {
        (file.name, command)
        for file in files
        for command in re.findall(r"`(?:uv run )?preceptor ([^`{}]+)`", file.read_text(encoding="utf-8"))
        if not set(command) & set('|"\n')
    }
    assert named
    assert {(name, command, wrong) for name, command in named if (wrong := not_there(command))} == set()
