"""The files: all of the text in both forms, the same bytes for the same facts, whole or not at all."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from preceptor.documents.pdf import read
from preceptor.errors import UsageError
from preceptor.papers import bundle as bundling
from preceptor.papers import facts as gathered
from preceptor.papers.bundle import PAPERS, write_papers
from preceptor.papers.data_card import data_card
from preceptor.settings import ROOT
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
    old = gathered._making(bundle(data=bundle()["data"] | {"curated": "older"}, lock="sha256:11"))
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


def test_the_same_facts_are_the_same_bytes(written, rich):
    """In another process, too: nothing may hang on the order of sets or the time."""
    code = (
        "import hashlib, pickle, sys; from preceptor.papers.bundle import PAPERS; from preceptor.papers.pdf import pdf\n"
        "facts = pickle.load(sys.stdin.buffer)\n"
        "print(*(hashlib.sha256(pdf(paper(facts), facts)).hexdigest() for paper in PAPERS))"
    )
    environment = os.environ | {"PYTHONHASHSEED": "7", "TZ": "Pacific/Auckland"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=pickle.dumps(rich),
        capture_output=True,
        check=True,
        env=environment,
        cwd=ROOT,
    )
    keys = [paper.__name__.replace("_", "-") for paper in PAPERS]
    assert done.stdout.decode().split() == [written.files[f"{key}.pdf"] for key in keys]


@pytest.fixture
def one_paper(monkeypatch):
    """Only the shortest, for what does not depend on which."""
    monkeypatch.setattr(bundling, "PAPERS", (data_card,))


def test_nothing_is_done_again_and_what_was_altered_is_mended(rich, tmp_path, one_paper):
    first = write_papers(rich, tmp_path)
    assert not first.reused and write_papers(rich, tmp_path).reused
    (tmp_path / "data-card.html").write_text("altered")
    mended = write_papers(rich, tmp_path)
    assert not mended.reused and mended.files == first.files
    assert file_sha256(tmp_path / "data-card.html") == first.files["data-card.html"]
    assert (
        write_papers(replace(rich, status="champion"), tmp_path).files["index.html"]
        != first.files["index.html"]
    )


def test_a_write_that_was_killed_leaves_nothing_that_vouches_for_it(rich, tmp_path, one_paper, monkeypatch):
    write_papers(rich, tmp_path)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(bundling, "write_atomic", killed)
        with pytest.raises(KeyboardInterrupt):
            write_papers(replace(rich, status="champion"), tmp_path)
    assert bundling.files_of(tmp_path) == frozenset()
    assert not write_papers(rich, tmp_path).reused and "data-card.pdf" in bundling.files_of(tmp_path)


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


@pytest.mark.parametrize("stranger", ["thesis.html", "manifest.json"])
def test_a_folder_with_other_things_is_left_alone(rich, tmp_path, one_paper, stranger):
    (tmp_path / stranger).write_text('{"files": {}}')
    with pytest.raises(UsageError, match=stranger):
        write_papers(rich, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [stranger]
