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
# alphabet, and reading them as cp1252 would make a document of nonsense.
_MAX_HIGH_SHARE = 0.3
# An accented letter of Western Europe in UTF-8; in Windows-1252 nobody writes an A with a tilde before such signs.
_UTF8_LETTER = re.compile(rb"\xc3[\x80-\xbf]")
# Signs that nobody writes between two letters: the bytes behind them are letters in another encoding.
_MISREAD = re.compile(r"[^\W\d_][¹²³£¥¢¤¦¬¯¿¡Ÿƒ‡†‰…‹›•„‚”“˜][a-zß-ÿ]")
# What such files are in. Not those of DOS and of old Macintoshes: in a short text they are told apart by luck.
_CODE_PAGES = [
    "cp1250", "cp1251", "cp1253", "cp1255", "cp1256", "cp1257", "iso8859_2", "iso8859_5", "koi8_r", "cp866",
    "shift_jis", "euc_jp", "gb18030", "big5", "euc_kr",
]  # fmt: skip
_MAX_CHAOS, _MIN_COHERENCE = 0.1, 0.3  # charset-normalizer's measures of noise, and of being a language
_CHAOS_APART = 0.015  # less between two readings is no difference


def read(data: bytes) -> ParsedFile:
    """Return a text file as one document. Raises `UnreadableFile` for bytes that are no text."""
    return ParsedFile((ParsedDocument(tidy(decode(data))),))


def decode(data: bytes) -> str:
    """Return the text of bytes: by byte order mark, else UTF-8, else UTF-16 by its zeros, else Windows-1252 where
    nothing speaks against it, else the code page in which they make words of a language.

    Raises `UnreadableFile`: `not-text` for control characters or undefined bytes, `mixed-encoding` for UTF-8
    with broken places, `encoding-unsure` where no code page is clearly the right one.
    """
    # MLLP frames and Ctrl-Z are wrappers that transports and DOS leave around a text.
    data = data.strip(b"\x0b\x1c\x1a")
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _printable(_strict(data, encoding))
    if b"\0" in data[:4096]:
        return _printable(_strict(data, _wide(data)))
    try:
        return _printable(data.decode("utf-8"))
    except UnicodeDecodeError:
        return _printable(_code_page(data))


def _strict(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise unreadable("not-text") from None


def _wide(data: bytes) -> str:
    """UTF-16 without its mark shows in Latin text: every other byte is zero."""
    even, odd = data[0:4096:2].count(0), data[1:4096:2].count(0)
    half = len(data[:4096]) / 2
    if len(data) % 2 == 0 and max(even, odd) > 0.6 * half and min(even, odd) == 0:
        return "utf-16-le" if odd > even else "utf-16-be"
    raise unreadable("not-text")


def _code_page(data: bytes) -> str:
    if _CONTROL.search(data.decode("latin-1")):
        raise unreadable("not-text")
    high = sum(b > 0x7F for b in data)
    if high <= _MAX_HIGH_SHARE * len(data) and _UTF8_LETTER.search(data):
        raise unreadable("mixed-encoding")
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError:
        return _guessed(data)
    accented = sum(c > "\x7f" and c.isalpha() for c in text)
    if accented > _MAX_HIGH_SHARE * len(text) or _MISREAD.search(text):
        return _guessed(data)
    return text


def _guessed(data: bytes) -> str:
    import charset_normalizer

    found = charset_normalizer.from_bytes(data, cp_isolation=_CODE_PAGES)
    good = [m for m in found if m.chaos <= _MAX_CHAOS and m.coherence >= _MIN_COHERENCE]
    # A name read in the wrong code page would neither be a word nor be found again: only one reading may be good.
    near = [m for m in good if m.chaos <= min(g.chaos for g in good) + _CHAOS_APART]
    if len({str(m) for m in near}) != 1:
        raise unreadable("encoding-unsure")
    return str(near[0])


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
