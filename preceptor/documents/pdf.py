"""PDF with a text layer. Scans are refused, page by page: a page that is left out would be a silent loss."""

from __future__ import annotations

import io
import logging
import math
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from preceptor.documents.errors import unreadable
from preceptor.documents.pdf_layout import Fragment, page_lines, without_running_lines
from preceptor.documents.text import tidy
from preceptor.records import ParsedDocument, ParsedFile

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage

# A font without a map to Unicode gives replacement, private-use or control characters; one in ten is no
# accident.
_MAX_NAMELESS_SHARE = 0.1
# Codes that WinAnsiEncoding leaves unused draw a bullet (ISO 32000-1, annex D.2); pypdf hands them on.
_BULLETS = dict.fromkeys((0x7F, 0x81, 0x8D, 0x8F, 0x90, 0x9D), "\N{BULLET}")
_HYPHEN = "\ufffe"  # PDFium's mark for a hyphen at the end of a line
_END = 2048  # bytes in which a whole file has its end


def read(data: bytes) -> ParsedFile:
    """Return the text layer of a PDF as one document: pages one after the other, columns of prose one after the
    other, headers and footers once, values of form fields at the end of their page.

    Raises `UnreadableFile`: `pdf-encrypted`, `pdf-no-text` (a page with pictures and no text),
    `pdf-no-unicode`, `pdf-corrupt`.
    """
    if b"%%EOF" not in data[-_END:]:
        # PDFium mends a file that was cut short, and leaves out without a word what is missing.
        raise unreadable("pdf-corrupt")
    pages = without_running_lines(_pages(data))
    text = "\n".join("\n".join(page) for page in pages).replace(_HYPHEN, "-").translate(_BULLETS)
    if not text.strip():
        raise unreadable("pdf-no-text")
    if _nameless(text) > _MAX_NAMELESS_SHARE * len(text):
        raise unreadable("pdf-no-unicode")
    shown = "".join(" " if c == "\xa0" else c for c in text if not _control(c))
    return ParsedFile((ParsedDocument(tidy(shown)),))


def _pages(data: bytes) -> list[list[str]]:
    document = _open(data)
    fields = _fields(data) if _has_fields(document) else {}
    pages = []
    for number in range(len(document)):
        lines = _lines(_page(document, number))
        lines += fields.get(number, [])
        pages.append(lines)
    if not pages:
        raise unreadable("pdf-no-text")
    return pages


def _open(data: bytes) -> PdfDocument:
    import pypdfium2
    import pypdfium2.raw as pdfium

    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        # PDFium tries the empty password first, which opens what has only an owner's password.
        # Its last error may be that of another file.
        locked = error.err_code == pdfium.FPDF_ERR_PASSWORD and b"/Encrypt" in data
        raise unreadable("pdf-encrypted" if locked else "pdf-corrupt") from None


def _page(document: PdfDocument, number: int) -> PdfPage:
    import pypdfium2

    try:
        return document[number]
    except pypdfium2.PdfiumError:
        raise unreadable("pdf-corrupt") from None


def _lines(page: PdfPage) -> list[str]:
    import pypdfium2.raw as pdfium

    text = page.get_textpage()
    turn = _TURNS[_quarter(text)]
    lines = page_lines([turn(fragment) for fragment in _fragments(text)])
    if not any(line.strip() for line in lines):
        if any(True for _ in page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE])):
            raise unreadable("pdf-no-text")
        return []
    return lines


def _quarter(text) -> int:
    """In how many clockwise quarters most of a page's text is turned, seen in the page's own coordinates."""
    import pypdfium2.raw as pdfium

    places = range(0, text.count_chars(), 7)
    turns = Counter(round(pdfium.FPDFText_GetCharAngle(text.raw, n) / (math.pi / 2)) % 4 for n in places)
    return turns.most_common(1)[0][0] if turns else 0


# How text that is turned by so many quarters comes to run from left to right.
_TURNS: tuple[Callable[[Fragment], Fragment], ...] = (
    lambda f: f,
    lambda f: Fragment(-f.top, f.left, -f.bottom, f.right, f.text),
    lambda f: Fragment(-f.right, -f.top, -f.left, -f.bottom, f.text),
    lambda f: Fragment(f.bottom, -f.right, f.top, -f.left, f.text),
)


def _fragments(text) -> Iterator[Fragment]:  # pypdfium2 has no types
    for number in range(text.count_rects()):
        left, bottom, right, top = text.get_rect(number)
        said = text.get_text_bounded(left, bottom, right, top).replace("\r", "").replace("\n", "")
        if said.strip():
            yield Fragment(left, bottom, right, top, said.strip())


def _has_fields(document: PdfDocument) -> bool:
    import pypdfium2.raw as pdfium

    if document.get_formtype() != pdfium.FORMTYPE_NONE:
        return True
    return any(pdfium.FPDFPage_GetAnnotCount(_page(document, number)) for number in range(len(document)))


def _fields(data: bytes) -> dict[int, list[str]]:
    """What was typed into the form fields and text notes of each page, as `label: value`."""
    from pypdf import PdfReader

    # pypdf's warnings quote the file. Its modules log under names of their own, which inherit only a level.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL + 1)
    found: dict[int, list[str]] = {}
    try:
        reader = PdfReader(io.BytesIO(data), strict=False)
        if reader.is_encrypted:
            reader.decrypt("")
        for number, page in enumerate(reader.pages):
            for annotation in page.get("/Annots") or []:
                line = _field(annotation.get_object())
                if line:
                    found.setdefault(number, []).append(line)
    # pypdf lets KeyError, RecursionError and others through, with parts of the file in them.
    except Exception:  # noqa: BLE001
        raise unreadable("pdf-corrupt") from None
    return found


def _field(annotation) -> str | None:  # any object of a PDF
    if annotation.get("/Subtype") == "/FreeText":
        return str(annotation.get("/Contents") or "") or None
    if annotation.get("/Subtype") != "/Widget":
        return None
    parent = annotation["/Parent"].get_object() if "/Parent" in annotation else {}
    kind, value = (annotation.get(key) or parent.get(key) for key in ("/FT", "/V"))
    if value is None or kind not in ("/Tx", "/Ch"):
        return None
    label = annotation.get("/TU") or annotation.get("/T") or parent.get("/T") or ""
    said = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"{label}: {said}" if label and said.strip() else said.strip() or None


def _nameless(text: str) -> int:
    return sum(c == "\ufffd" or unicodedata.category(c) == "Co" or _control(c) for c in text)


def _control(character: str) -> bool:
    return unicodedata.category(character) == "Cc" and character not in "\n\t\r"
