"""What the documentation names is there."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

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


def test_every_page_is_in_the_sites_list_and_every_command_it_shows_is_one():
    from preceptor.cli import COMMANDS

    listed = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")))
    assert listed == {page.relative_to(ROOT / "docs").as_posix() for page in ROOT.glob("docs/**/*.md")}
    shown = {
        name
        for page in PAGES
        for name in re.findall(r"^ {4}(?:uv run )?preceptor ([a-z]+)", page.read_text(encoding="utf-8"), re.M)
    }
    assert shown - set(COMMANDS) == set()
