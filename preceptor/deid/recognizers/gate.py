"""Where the rules of many recognisers match in a text, found out faster than by running each of them over it.

Most rules match in few notes and in few places, and finding that out took a slow scan for each. RE2 is ten times as fast; it
knows no look-around and no back-reference, so each pattern is relaxed into one that matches wherever the pattern itself
does, and elsewhere too. The pattern itself is then tried only where the relaxed one begins. (All patterns in one RE2 set
would need one scan, but their joint automaton grows with every new note: measured 86 ms a note and 900 MB.)
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

import regex

if TYPE_CHECKING:
    from preceptor.deid.recognizers.rule import Rule

_ALL_BUT = regex.compile(r"\[\^[^\]]*\\[WSD]")
_MOST_MEMORY = 8 << 20  # bytes of one automaton
_LETTER, _SPACE = r"\pL\pM\pN_", r"\s\pZ\x{85}"
# Escapes whose RE2 namesakes know ASCII only.
_OUTSIDE = {
    "w": f"[{_LETTER}]",
    "W": f"[^{_LETTER}]",
    "d": r"\pN",
    "D": r"\PN",
    "s": f"[{_SPACE}]",
    "S": f"[^{_SPACE}]",
    "b": "",
    "B": "",
}
_INSIDE = {
    "w": _LETTER,
    "d": r"\pN",
    "s": _SPACE,
    "W": r"\x{0}-\x{10FFFF}",
    "S": r"\x{0}-\x{10FFFF}",
    "D": r"\x{0}-\x{10FFFF}",
}


class Gate:
    """`places(text)` gives what the rules find in a text, as each rule's own `places` would."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        import re2

        options = re2.Options()
        options.log_errors, options.never_capture, options.max_mem = False, True, _MOST_MEMORY
        self._rules = [
            (each, re2.compile(relaxed(each.source, each.flags).encode(), options)) for each in rules
        ]

    def places(self, text: str) -> Iterator[tuple[Rule, int, int]]:
        """(rule, start, end) of each identifier, rule by rule in their order, then as they stand in the text."""
        data = text.encode("utf-8", "replace")
        offsets = _Offsets(text, data)
        for each, may_match in self._rules:
            at = 0
            # Before where the relaxed pattern begins no match of the pattern can begin.
            while found := may_match.search(data, at):
                begins = offsets.in_text(found.start())
                match = each.pattern.match(text, begins)
                if match is None or match.end() == begins:
                    at = offsets.in_data(begins + 1)
                else:
                    if each.check is None or each.check(match):
                        yield each, *match.span("v")
                    at = offsets.in_data(match.end())
                if at >= len(data):
                    break


class _Offsets:
    """Characters of a text and bytes of it in UTF-8, each counted in the other."""

    def __init__(self, text: str, data: bytes) -> None:
        self._begins: list[int] | None = None
        if len(data) != len(text):
            self._begins = [0, *accumulate(len(c.encode("utf-8", "replace")) for c in text)]

    def in_text(self, byte: int) -> int:
        """The character that begins at a byte."""
        return byte if self._begins is None else bisect_left(self._begins, byte)

    def in_data(self, character: int) -> int:
        """The byte at which a character begins."""
        return character if self._begins is None else self._begins[character]


def relaxed(source: str, flags: int) -> str:
    """A pattern in RE2's syntax that matches wherever this one does: without look-around, word edges, back-references."""
    letters = "".join(
        letter for letter, flag in (("i", regex.I), ("m", regex.M), ("s", regex.S)) if flags & flag
    )
    return (f"(?{letters})" if letters else "") + _relaxed(source)


def _relaxed(source: str) -> str:
    out: list[str] = []
    at, in_class = 0, False
    while at < len(source):
        char = source[at]
        if char == "\\":
            name = source[at + 1]
            if name in "pP" and source[at + 2] == "{":
                end = source.index("}", at) + 1
                out.append(source[at:end])
                at = end
                continue
            table = _INSIDE if in_class else _OUTSIDE
            out.append(table.get(name, char + name))
            at += 2
        elif in_class:
            in_class = char != "]"
            out.append("\\[" if char == "[" else char)
            at += 1
        elif char == "[" and _ALL_BUT.match(source, at):
            # "All but what is no letter": that has no relaxed form but everything.
            out.append(r"[\x{0}-\x{10FFFF}]")
            at = source.index("]", at + 3) + 1
        elif char == "[":
            in_class = True
            out.append(char)
            at += 1
            if source[at] == "^":
                out.append("^")
                at += 1
        elif source.startswith(("(?=", "(?!", "(?<=", "(?<!"), at):
            at = _end_of_group(source, at)
            if source[at : at + 1] in ("?", "*"):  # a look-around that may be missing
                at += 1
        elif source.startswith("(?P<", at):
            out.append("(?:")
            at = source.index(">", at) + 1
        elif source.startswith("(?P=", at):
            out.append("(?:.|\\n)")
            at = source.index(")", at) + 1
        else:
            out.append(char)
            at += 1
    return "".join(out)


def _end_of_group(source: str, at: int) -> int:
    depth, in_class = 0, False
    while True:
        char = source[at]
        if char == "\\":
            at += 2
            continue
        if in_class:
            in_class = char != "]"
        elif char == "[":
            in_class = True
            if source[at + 1] in "]^":
                at += 1
        elif char == "(":
            depth += 1
        elif char == ")":
            depth -= 1
            if not depth:
                return at + 1
        at += 1
