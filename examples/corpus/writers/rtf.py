"""RTF, as dictation systems write it: 7-bit, one `\\par` a line, letters beyond ASCII as `\\u`."""

from __future__ import annotations

from typing import Any

_HEAD = r"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0\fswiss\fcharset0 Arial;}}{\colortbl;\red0\green0\blue0;}\uc1\pard\f0\fs20"


def write(note: dict[str, Any]) -> bytes:
    """Return the note as one RTF file."""
    lines = "\\par\n".join(_escape(line) for line in note["text"].strip("\n").split("\n"))
    return f"{_HEAD}\n{lines}\\par\n}}\n".encode("ascii")


def _escape(line: str) -> str:
    return "".join(f"\\{c}" if c in "\\{}" else c if c < "\x7f" else _unicode(c) for c in line)


def _unicode(character: str) -> str:
    units = character.encode("utf-16-le")
    numbers = [int.from_bytes(units[i : i + 2], "little", signed=True) for i in range(0, len(units), 2)]
    return "".join(f"\\u{number}?" for number in numbers)
