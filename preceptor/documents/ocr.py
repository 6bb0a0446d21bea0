"""Scans read by tesseract, where it is installed and `intake.ocr` is on: PDF pages without text, and pictures.

Pages go to the program through a pipe and its words come back through one: no temporary file, since it would hold
a patient's text. Words come with a confidence; a page that is mostly guessed is refused rather than handed on.
"""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING

from preceptor.documents.errors import unreadable
from preceptor.documents.text import tidy
from preceptor.records import ParsedDocument, ParsedFile

if TYPE_CHECKING:
    from PIL.Image import Image

_DPI = 300  # what tesseract was trained for
_MIN_CONFIDENCE = 60.0  # of 100, mean over the words of the document
_POINTS = 72  # of a PDF to the inch


def available() -> bool:
    """Whether the program tesseract is installed."""
    return shutil.which("tesseract") is not None


def read_scan(data: bytes, languages: str = "eng") -> ParsedFile:
    """Return a scanned PDF or a picture as one document, pages one after the other.

    `languages` are tesseract's names joined by `+`. Raises `UnreadableFile`: `ocr-missing`, `ocr-no-text`,
    `ocr-unsure`, `image-expands`, `image-corrupt`.
    """
    if not available():
        raise unreadable("ocr-missing")
    pages = _pdf_pages(data) if b"%PDF-" in data[:1024] else _pictures(data)
    texts, confidences = [], []
    for picture in pages:
        lines, sure = _recognise(picture, languages)
        texts.append("\n".join(lines))
        confidences += sure
    if not confidences:
        raise unreadable("ocr-no-text")
    if sum(confidences) / len(confidences) < _MIN_CONFIDENCE:
        raise unreadable("ocr-unsure")
    return ParsedFile((ParsedDocument(tidy("\n".join(texts))),))


def _pdf_pages(data: bytes) -> Iterator[Image]:
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError:
        raise unreadable("pdf-corrupt") from None
    for page in document:
        yield page.render(scale=_DPI / _POINTS, grayscale=True).to_pil()


def _pictures(data: bytes) -> Iterator[Image]:
    from PIL import Image, ImageSequence

    Image.MAX_IMAGE_PIXELS = 120_000_000  # A3 at 600 dpi is 70 million
    try:
        with Image.open(io.BytesIO(data)) as picture:
            for frame in ImageSequence.Iterator(picture):
                if frame.width * frame.height > Image.MAX_IMAGE_PIXELS:
                    raise unreadable("image-expands")
                yield frame.convert("L")
    except Image.DecompressionBombError:
        raise unreadable("image-expands") from None
    except (OSError, ValueError, SyntaxError):
        raise unreadable("image-corrupt") from None


def _recognise(picture: Image, languages: str) -> tuple[list[str], list[float]]:
    """The lines of a page, and the confidence of every word."""
    png = io.BytesIO()
    picture.save(png, "PNG")
    done = subprocess.run(
        ["tesseract", "stdin", "stdout", "--dpi", str(_DPI), "-l", languages, "tsv"],
        input=png.getvalue(), capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise unreadable("ocr-no-text")
    lines: dict[tuple[str, ...], list[str]] = {}
    sure: list[float] = []
    for row in done.stdout.decode("utf-8", "replace").splitlines()[1:]:
        cells = row.split("\t")
        if len(cells) == 12 and cells[11].strip():
            lines.setdefault(tuple(cells[1:5]), []).append(cells[11])
            sure.append(float(cells[10]))
    return [" ".join(words) for words in lines.values()], sure
