"""PDF with a text layer. Scans are refused, page by page: a page that is left out would be a silent loss."""

from __future__ import annotations

import io
import logging
import unicodedata
from typing import TYPE_CHECKING

from preceptor.documents.errors import UnreadableFile, unreadable
from preceptor.documents.text import tidy
from preceptor.records import ParsedDocument, ParsedFile

if TYPE_CHECKING:
    from pypdf import PageObject, PdfReader

# A font without a map to Unicode gives replacement, private-use or control characters; one in ten is no
# accident.
_MAX_NAMELESS_SHARE = 0.1
# Codes that WinAnsiEncoding leaves unused draw a bullet (ISO 32000-1, annex D.2); pypdf hands them on.
_BULLETS = dict.fromkeys((0x7F, 0x81, 0x8D, 0x8F, 0x90, 0x9D), "\N{BULLET}")


def read(data: bytes) -> ParsedFile:
    """Return the text layer of a PDF as one document, lines as they are set, pages one after the other.

    Raises `UnreadableFile`: `pdf-encrypted`, `pdf-no-text` (a page with pictures and no text),
    `pdf-no-unicode`, `pdf-corrupt`.
    """
    # pypdf's warnings quote the file. Its modules log under names of their own, which inherit only a level.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL + 1)
    try:
        pages = _pages(data)
    except UnreadableFile:
        raise
    # pypdf lets KeyError, RecursionError and others through, with parts of the file in them.
    except Exception:  # noqa: BLE001
        raise unreadable("pdf-corrupt") from None
    text = "\n".join(pages).translate(_BULLETS)
    if _nameless(text) > _MAX_NAMELESS_SHARE * len(text):
        raise unreadable("pdf-no-unicode")
    shown = "".join(" " if c == "\xa0" else c for c in text if not _control(c))
    return ParsedFile((ParsedDocument(tidy(shown)),))


def _pages(data: bytes) -> list[str]:
    from pypdf import PdfReader

    reader = PdfReader(io.BytesIO(data), strict=False)
    if reader.is_encrypted and not _opens_without_password(reader):
        raise unreadable("pdf-encrypted")
    pages = []
    for page in reader.pages:
        text = page.extract_text()
        if text.strip():
            pages.append(text.strip("\n"))
        elif _draws_pictures(page):
            raise unreadable("pdf-no-text")
    if not pages:
        raise unreadable("pdf-no-text")
    return pages


def _opens_without_password(reader: PdfReader) -> bool:
    # Many exports carry only an owner's password, which restricts printing and not reading.
    return bool(reader.decrypt(""))


def _draws_pictures(page: PageObject) -> bool:
    from pypdf.generic import DictionaryObject

    resources = page.get("/Resources")
    objects = resources.get_object().get("/XObject") if resources else None
    found = objects.get_object() if objects else None
    return bool(found) and isinstance(found, DictionaryObject)


def _nameless(text: str) -> int:
    return sum(c == "\ufffd" or unicodedata.category(c) == "Co" or _control(c) for c in text)


def _control(character: str) -> bool:
    return unicodedata.category(character) == "Cc" and character not in "\n\t\r"
