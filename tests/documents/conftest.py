"""The corpus generator as a module, its notes, and small ways to read bytes."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from preceptor.documents.limits import Limits
from preceptor.documents.registry import read_file
from preceptor.records import ParsedDocument

ROOT = Path(__file__).resolve().parent.parent.parent
CORPUS = ROOT / "examples" / "corpus"
ReadAs = Callable[..., tuple[str, list[ParsedDocument]]]
NOTE = "Mrs. Quill was seen today.  BP 128/78.\n\nPlan: return in two weeks."


def load_build() -> ModuleType:
    """examples/corpus/build.py as the command line would start it: with its folder on the path."""
    if str(CORPUS) not in sys.path:
        sys.path.append(str(CORPUS))
    spec = importlib.util.spec_from_file_location("corpus_build", CORPUS / "build.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `note` runs once for every note of the corpus."""
    if "note" in metafunc.fixturenames:
        build = load_build()
        notes = build.annotated_notes()
        metafunc.parametrize("note", notes, ids=[note["note_id"] for note in notes])


@pytest.fixture(scope="session")
def corpus_build() -> ModuleType:
    return load_build()


@pytest.fixture(scope="session")
def notes(corpus_build: ModuleType) -> list[dict[str, Any]]:
    return corpus_build.annotated_notes()


@pytest.fixture
def read_as(tmp_path: Path) -> ReadAs:
    """Write bytes under a file name and read that file, with the limits given."""

    def read(name: str, data: bytes | str, **limits: float) -> tuple[str, list[ParsedDocument]]:
        path = tmp_path / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        name, parsed = read_file(path, Limits(**limits))
        return name, list(parsed.documents)

    return read


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """Makers of files in formats that are not text, and a note to put into them."""
    return SimpleNamespace(pdf=pdf_bytes, docx=docx_bytes, note=NOTE)


def pdf_bytes(*pages: str) -> bytes:
    """A PDF with a page for each text."""
    import io

    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas = Canvas(out, invariant=1)
    for text in pages:
        for n, line in enumerate(text.split("\n")):
            canvas.drawString(60, 700 - 14 * n, line)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def docx_bytes(text: str) -> bytes:
    """A Word document as python-docx writes it, with a paragraph for each line."""
    import io

    from docx import Document

    document = Document()
    for line in text.split("\n"):
        document.add_paragraph(line)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of hostile files, made once."""
    folder = tmp_path_factory.mktemp("hostile") / "files"
    load_hostile().build(folder)
    return folder


def load_hostile() -> ModuleType:
    """examples/hostile/build.py, which makes the files and says what intake must make of each."""
    spec = importlib.util.spec_from_file_location("hostile_build", ROOT / "examples" / "hostile" / "build.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
