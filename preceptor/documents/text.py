"""Plain text: which encoding it is in, and lines as every other module expects them."""

from __future__ import annotations

import codecs
import re

from preceptor.documents.errors import unreadable
from preceptor.records import ParsedDocument, ParsedFile

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_LINE_END = re.compile(r"\r\n|[\r\n\v\f\x85\u2028\u2029]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
# Zero-width space, word joiner, byte order mark, soft hyphen: nobody sees them, and a name with one inside
# would not be recognised.
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u2060\ufeff\u00ad"))
# Western European text seldom has one letter in ten with an accent; above three in ten, the bytes are another
# alphabet or no text at all, and reading them as cp1252 would make a document of nonsense.
_MAX_HIGH_SHARE = 0.3


def read(data: bytes) -> ParsedFile:
    """Return a text file as one document. Raises `UnreadableFile` for bytes that are no text."""
    return ParsedFile((ParsedDocument(tidy(decode(data))),))


def decode(data: bytes) -> str:
    """Return the text of bytes: by byte order mark, else UTF-8, else Windows-1252 where that is certain.

    Raises `UnreadableFile`: `not-text` for control characters or undefined bytes, `mixed-encoding` for UTF-8
    with broken places.
    """
    # MLLP frames and Ctrl-Z are wrappers that transports and DOS leave around a text.
    data = data.strip(b"\x0b\x1c\x1a")
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _printable(_strict(data, encoding))
    try:
        return _printable(data.decode("utf-8"))
    except UnicodeDecodeError:
        return _printable(_windows(data))


def _strict(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise unreadable("not-text") from None


def _windows(data: bytes) -> str:
    guess = data.decode("utf-8", errors="replace")
    broken = guess.count("\ufffd")
    whole = sum(c > "\x7f" for c in guess) - broken
    high = sum(b > 0x7F for b in data)
    if whole > broken:
        raise unreadable("mixed-encoding")
    if high > _MAX_HIGH_SHARE * len(data):
        raise unreadable("not-text")
    return _strict(data, "cp1252")


def _printable(text: str) -> str:
    if _CONTROL.search(text):
        raise unreadable("not-text")
    return text


def tidy(text: str) -> str:
    r"""Return text with `\n` line ends, without spaces at line ends and without blank lines at either end.

    Inside a line only invisible characters go; a form feed ends a line.
    """
    lines = [line.rstrip() for line in _LINE_END.split(text.translate(_INVISIBLE))]
    return "\n".join(lines).strip("\n")
