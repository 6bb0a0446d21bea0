"""Plain text, in the encodings and line ends that systems really write."""

from __future__ import annotations

from typing import Any

from writers.facts import stable_hash


def write(note: dict[str, Any]) -> bytes:
    """UTF-8 with `\\n`; UTF-8 with a byte order mark and CRLF; or Windows-1252 with CRLF where the note allows it."""
    text = note["text"].rstrip("\n") + "\n"
    style = stable_hash(note["note_id"], "text") % 3
    if style == 0:
        return text.encode()
    text = text.replace("\n", "\r\n")
    if style == 1 and _is_windows(text):
        return text.encode("cp1252")
    return b"\xef\xbb\xbf" + text.encode()


def _is_windows(text: str) -> bool:
    try:
        text.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True
