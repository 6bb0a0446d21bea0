"""The files: all of the text in both forms, the same bytes for the same facts, whole or not at all."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from preceptor.documents.pdf import read
from preceptor.papers import bundle as bundling
from preceptor.papers.bundle import PAPERS, write_papers
from preceptor.versions import file_sha256

from .conftest import CANARY


class _Texts(HTMLParser):
    """The text of a page, without its style and the link for keyboards."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag, attrs):
        self._hidden += tag in ("style", "title") or ("class", "skip") in attrs

    def handle_endtag(self, tag):
        self._hidden -= tag in ("style", "title") or (tag == "a" and self._hidden > 0)

    def handle_data(self, data):
        if not self._hidden:
            self.words += data.split()


@pytest.fixture(scope="module")
def rich(facts, stated):
    """Facts with much to say: statements, a champion before, a plan."""
    from .conftest import bundle

    told = stated(
        developer="Krankenhaus Süd – “Informatik” <b>", intended_use="Drafts & summaries.", pccp={
            "reference": "QMS-1", "modifications": {"new data": {"changes": ["data.*"], "verification": ["cases"], "impact": "More notes."}}}
    )  # fmt: skip
    old = bundle(data=bundle()["data"] | {"curated": "older"}, lock="sha256:11")
    return replace(told, before={"ref": "preceptor/1", "digest": "00" * 32, "bundle": old})


@pytest.fixture(scope="module")
def written(rich, tmp_path_factory):
    return write_papers(rich, tmp_path_factory.mktemp("papers") / "preceptor-2")


@pytest.mark.parametrize("key", [paper.__name__.replace("_", "-") for paper in PAPERS])
def test_the_pdf_has_all_of_the_pages_text(written, key):
    page = _Texts()
    page.feed((written.path / f"{key}.html").read_text())
    text = read((written.path / f"{key}.pdf").read_bytes()).documents[0].text
    squeezed = re.sub(r"\s+", "", text)
    missing = [word for word in page.words if word not in squeezed]
    assert len(page.words) > 50 and missing == []


def test_the_same_facts_are_the_same_bytes(written, rich, tmp_path):
    again = write_papers(rich, tmp_path / "again")
    assert again.files == written.files and not again.reused


def test_nothing_is_done_again_and_what_was_altered_is_mended(written, rich, tmp_path):
    folder = tmp_path / "papers"
    shutil.copytree(written.path, folder)
    assert write_papers(rich, folder).reused
    (folder / "model-card.html").write_text("altered")
    mended = write_papers(rich, folder)
    assert not mended.reused and file_sha256(folder / "model-card.html") == written.files["model-card.html"]
    assert (
        write_papers(replace(rich, status="champion"), folder).files["index.html"]
        != written.files["index.html"]
    )


def test_the_manifest_comes_last(rich, tmp_path, monkeypatch):
    folder = tmp_path / "papers"
    write_papers(rich, folder)

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(bundling, "write_atomic", killed)
    with pytest.raises(KeyboardInterrupt):
        write_papers(replace(rich, status="champion"), folder)
    assert not (folder / "manifest.json").exists()
    monkeypatch.undo()
    assert not write_papers(rich, folder).reused


def test_the_manifest_names_every_file_and_no_file_holds_a_text_that_must_not_come_out(written):
    said = json.loads((written.path / "manifest.json").read_text())
    names = {path.name for path in written.path.iterdir()} - {"manifest.json"}
    assert set(said["files"]) == names and len(names) == 2 * len(PAPERS) + 2
    for name, sha in said["files"].items():
        data = (written.path / name).read_bytes()
        assert file_sha256(written.path / name) == sha
        text = read(data).documents[0].text if name.endswith(".pdf") else data.decode()
        assert CANARY not in text and "Quackenbush" not in text and "8675309" not in text, name


def test_a_page_reaches_nothing_outside_and_escapes_what_people_state(written):
    page = (written.path / "model-card.html").read_text()
    assert "“Informatik” &lt;b&gt;" in page
    for name in written.files:
        if name.endswith(".html"):
            text = (written.path / name).read_text()
            assert not re.search(r"<script|https?://|<link|@import|url\(", text), name
