"""PDF with a text layer: lines wrapped to the page, as many pages as it takes."""

from __future__ import annotations

import io
import re
from typing import Any

from reportlab.lib.pagesizes import letter
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from writers.facts import stable_hash

_MARGIN = 60
_LEADING = 13


def write(note: dict[str, Any]) -> bytes:
    """Return the note as a PDF, uncompressed so that its bytes do not depend on the zlib at hand."""
    text = note["text"].strip("\n")
    aligned = re.search(r"\S {2,}\S", text)
    font = "Courier" if aligned else ("Helvetica", "Times-Roman")[stable_hash(note["note_id"], "font") % 2]
    size = 8.5 if aligned else 10.5
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=letter, invariant=1, pageCompression=0)
    canvas.setTitle(note["note_type"])
    width, height = letter
    y = height - _MARGIN
    canvas.setFont(font, size)
    for line in text.split("\n"):
        for part in wrap(line, font, size, width - 2 * _MARGIN):
            if y < _MARGIN:
                canvas.showPage()
                canvas.setFont(font, size)
                y = height - _MARGIN
            if part:
                canvas.drawString(_MARGIN, y, part)
            y -= _LEADING
    canvas.save()
    return buffer.getvalue()


def wrap(line: str, font: str, size: float, width: float) -> list[str]:
    """Break a line at spaces to a width in points; spaces inside a piece stay as they are."""
    pieces = [""]
    for word in re.findall(r"\s*\S+", line):
        if pieces[-1] and stringWidth(pieces[-1] + word, font, size) > width:
            pieces.append(word.lstrip())
        else:
            pieces[-1] += word
    return pieces
