"""Word documents (Office Open XML), read from their XML: content controls and insertions are text too."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

from preceptor.documents.errors import unreadable
from preceptor.documents.markup import parse_xml, tag
from preceptor.documents.text import tidy
from preceptor.records import ParsedDocument, ParsedFile

if TYPE_CHECKING:
    from lxml.etree import _Element

BODY = "word/document.xml"
# What zipfile raises for archives that are cut, altered, encrypted or packed in a way it does not know.
_ZIP_ERRORS = (
    zipfile.BadZipFile, zlib.error, struct.error, KeyError, EOFError, OSError, ValueError, RuntimeError,
)  # fmt: skip
# Text shrinks about tenfold when zipped, a bomb a thousandfold; no report has 100 MB of words and styles.
_MAX_PART_BYTES = 100_000_000
# Deleted text, field codes, and the second copy of a drawing that old versions of Word show.
_DROPPED = frozenset({"del", "moveFrom", "instrText", "delText", "Fallback", "pPr", "rPr", "sdtPr", "tblPr"})
_MARKS = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-", "softHyphen": ""}


def read(data: bytes) -> ParsedFile:
    """Return a Word document as one document: headers, the body with its tables in order, footers.

    A table row is one line, cells joined by ` | `. Raises `UnreadableFile`: `docx-corrupt`, `docx-expands`.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            headers = _distinct(archive, [n for n in names if n.startswith("word/header")])
            footers = _distinct(archive, [n for n in names if n.startswith("word/footer")])
            body = _part(archive, BODY)
    except _ZIP_ERRORS:
        raise unreadable("docx-corrupt") from None
    return ParsedFile((ParsedDocument(tidy("\n".join([*headers, body, *footers]))),))


def _distinct(archive: zipfile.ZipFile, names: list[str]) -> list[str]:
    # First page, odd and even pages have headers of their own, mostly the same.
    texts = [_part(archive, name).strip("\n") for name in sorted(names)]
    return [text for text in dict.fromkeys(texts) if text.strip()]


def _part(archive: zipfile.ZipFile, name: str) -> str:
    if archive.getinfo(name).file_size > _MAX_PART_BYTES:
        raise unreadable("docx-expands")
    lines: list[str] = []
    _blocks(parse_xml(archive.read(name)), lines)
    return "\n".join(lines)


def _blocks(element: _Element, lines: list[str]) -> None:
    for child in element:
        name = tag(child)
        if name == "p":
            lines.append(_inline(child))
        elif name == "tr":
            lines.append(_row(child))
        elif name not in _DROPPED:
            _blocks(child, lines)


def _row(row: _Element) -> str:
    cells = []
    for cell in (c for c in row.iter() if tag(c) == "tc" and _owner(c) is row):
        lines: list[str] = []
        _blocks(cell, lines)
        cells.append(" ".join(line for line in "\n".join(lines).split("\n") if line.strip()))
    return " | ".join(cells)


def _owner(cell: _Element) -> _Element | None:
    """The row that a cell stands in, past any content control around it."""
    return next((a for a in cell.iterancestors() if tag(a) == "tr"), None)


def _inline(paragraph: _Element) -> str:
    said: list[str] = []

    def gather(element: _Element) -> None:
        for child in element:
            name = tag(child)
            if name == "t":
                said.append((child.text or "").replace("\xa0", " "))
            elif name in _MARKS:
                said.append(_MARKS[name])
            elif name == "txbxContent":
                lines: list[str] = []
                _blocks(child, lines)
                said.append("\n" + "\n".join(lines) + "\n")
            elif name not in _DROPPED:
                gather(child)

    gather(paragraph)
    return "".join(said)
