"""Rich Text Format, as dictation systems export it."""

from __future__ import annotations

import re

from preceptor.documents.errors import unreadable
from preceptor.documents.text import tidy
from preceptor.records import ParsedDocument, ParsedFile

_BRACE = re.compile(rb"\\[{}\\]|[{}]")
_CELL_END = re.compile(rb"\\(?:nest)?cell(?![a-z]) ?")
_CELL_MARK = "\x1f"  # the unit separator, which no RTF text can hold


def read(data: bytes) -> ParsedFile:
    """Return the body of an RTF file as one document, cells of a row joined by ` | `.

    Raises `UnreadableFile` if groups are left open: then the end of the file is missing.
    """
    from striprtf.striprtf import rtf_to_text

    if rb"\bin" not in data:  # behind it stand raw bytes, which may look like anything
        if not _balanced(data):
            raise unreadable("rtf-corrupt")
        # Careless exporters write bytes above 127 raw; as escapes they are read in the file's code page.
        data = re.sub(rb"[\x80-\xff]", lambda high: b"\\'%02x" % high[0][0], data)
    source = _CELL_END.sub(_CELL_MARK.encode(), data).decode("latin-1")
    try:
        text = rtf_to_text(source, encoding="cp1252", errors="strict")
        # \u writes a character beyond the first 65,536 as two halves.
        text = text.encode("utf-16", "surrogatepass").decode("utf-16")
    # striprtf documents no errors of its own; whatever it stumbles over may quote the file.
    except Exception:  # noqa: BLE001
        raise unreadable("rtf-corrupt") from None
    text = re.sub(rf"{_CELL_MARK}\s*?(\n|$)", r"\1", text).replace(_CELL_MARK, " | ")
    return ParsedFile((ParsedDocument(tidy(text.replace("\xa0", " "))),))


def _balanced(data: bytes) -> bool:
    braces = [found for found in _BRACE.findall(data) if len(found) == 1]
    return braces.count(b"{") <= braces.count(b"}")
