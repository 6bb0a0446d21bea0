"""HTML, as a portal prints a note: paragraphs, or preformatted text where columns must stay in line."""

from __future__ import annotations

from html import escape
from typing import Any

from writers.facts import paragraphs

_STYLE = "body { font-family: sans-serif; max-width: 44em } pre { font-size: 0.9em }"


def write(note: dict[str, Any]) -> bytes:
    """Return a whole page; its head, style and script are no part of the note."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{escape(note['note_type'])}</title>\n<style>{_STYLE}</style>\n"
        "<script>addEventListener('load', () => { if (location.hash === '#print') print() })</script>\n"
        f"</head>\n<body>\n{body(note['text'])}\n</body>\n</html>\n"
    ).encode()


def body(text: str) -> str:
    """Return a note's text as HTML blocks."""
    blocks = []
    for lines in paragraphs(text):
        aligned = any("  " in line or line.startswith(" ") for line in lines)
        if aligned:
            blocks.append(f"<pre>{escape(chr(10).join(lines), quote=False)}</pre>")
        else:
            blocks.append("<p>" + "<br>\n".join(escape(line, quote=False) for line in lines) + "</p>")
    return "\n".join(blocks)
