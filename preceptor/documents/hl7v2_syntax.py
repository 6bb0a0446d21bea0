r"""HL7 v2's encoding: segments, fields, repetitions, components and escapes, whatever the sender's habits.

OBX|1|FT|11488-4^Consult note^LN||first line\.br\50\T\60^second~third
^name   ^field 3, parts 1 2 3      ^field 5: two repetitions, the first of two parts, with escapes
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from preceptor.documents.errors import unreadable
from preceptor.documents.text import decode

_SEGMENT = re.compile(r"[A-Z][A-Z0-9]{2}(?=[^\w\s]|$)")
_MESSAGE = re.compile(rb"(?:^|(?<=[\r\n\x0b\x1c]))(?=MSH[^\w\s])")
_HEADERS = re.compile(r"(FHS|BHS|BTS|FTS)[^\w\s]")
_FORMATTING = {"h": "", "n": "", ".br": "\n", ".ce": "\n", ".nf": "", ".fi": ""}
# HL7 table 0211 (MSH-18), as Python calls them. Not ASCII and 8859/1: too many senders mean Windows-1252 by them.
_CHARACTER_SETS = {
    **{f"8859/{n}": f"iso8859_{n}" for n in (2, 3, 4, 5, 6, 7, 8, 9, 15)},
    "ISO IR14": "iso2022_jp", "ISO IR87": "iso2022_jp", "ISO IR159": "iso2022_jp_1",
    "GB 18030-2000": "gb18030", "KS X 1001": "euc_kr", "BIG-5": "big5",
}  # fmt: skip
_MOST_SPACE = 100  # lines or columns that one escape may skip
# Chapter 2.7.2: a switch of character sets written as an escape instead of as the bytes themselves.
_SWITCH = re.compile(rb"\\[CM]((?:[0-9A-Fa-f]{2}){2,3})\\")


@dataclass(frozen=True, slots=True)
class Delimiters:
    """The characters that a message declares in MSH-1 and MSH-2."""

    field: str = "|"
    component: str = "^"
    repetition: str = "~"
    escape: str = "\\"
    subcomponent: str = "&"


@dataclass(slots=True)
class Segment:
    """One segment. Fields are numbered as in the standard, from 1; an absent one is empty."""

    fields: list[str]
    delimiters: Delimiters

    @property
    def name(self) -> str:
        return self.fields[0]

    def raw(self, number: int) -> str:
        """A field as sent."""
        return self.fields[number] if number < len(self.fields) and self.fields[number] != '""' else ""

    def text(self, number: int) -> str:
        """A whole field with escapes resolved, on one line as sent."""
        return _unescape(self.raw(number), self.delimiters).strip()

    def structured(self, number: int) -> list[list[list[str]]]:
        """A field as repetitions of components of subcomponents, escapes resolved; `""` (delete this) is empty."""
        marks = self.delimiters
        return [
            [
                [
                    "" if part == '""' else _unescape(part, marks).strip()
                    for part in one.split(marks.subcomponent)
                ]
                for one in repetition.split(marks.component)
            ]
            for repetition in self.raw(number).split(marks.repetition)
            if repetition
        ]

    def repeats(self, number: int) -> list[list[str]]:
        """A field as repetitions of components, escapes resolved; subcomponents joined by a space."""
        return [[" ".join(parts).strip() for parts in one] for one in self.structured(number)]

    def part(self, number: int, component: int) -> str:
        """A component (from 1) of a field's first repetition."""
        first = next(iter(self.repeats(number)), [])
        return first[component - 1] if component <= len(first) else ""

    def lines(self, number: int) -> list[str]:
        """A field of text as its lines: repetitions, `.br` and line breaks each begin one."""
        marks = self.delimiters
        return [
            line
            for one in self.raw(number).split(marks.repetition)
            for line in _unescape(one, marks).split("\n")
        ]


@dataclass(slots=True)
class Message:
    """The segments of one message, MSH first."""

    segments: list[Segment] = field(default_factory=list)

    def all(self, *names: str) -> list[Segment]:
        return [segment for segment in self.segments if segment.name in names]


def split(data: bytes) -> list[bytes]:
    """Return each message of a file as sent, without MLLP frames. Raises `UnreadableFile` `hl7-corrupt` if there is none."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in data[:4096]:
        data = decode(data).encode()
    # The frames of MLLP stand before and behind each message.
    found = [
        part.replace(b"\x0b", b"").replace(b"\x1c", b"")
        for part in _MESSAGE.split(data.lstrip(b"\xef\xbb\xbf \t"))
        if part.startswith(b"MSH")
    ]
    if not found:
        raise unreadable("hl7-corrupt")
    return found


def parse(data: bytes) -> list[Message]:
    """Return a message, as one for each patient in it (PID). Batch headers fall away.

    A line that begins with no segment name goes on with the field before it: many senders break report text
    with bare line ends. Raises `UnreadableFile`: `hl7-corrupt` for a message header without its delimiters, and
    those of `decode`.
    """
    header, *lines = re.split(r"\r\n|\r|\n", _decode(data))
    marks = _delimiters(header)
    # MSH-1 is the field separator itself, so every number moves by one.
    segments = [Segment(["MSH", marks.field, *header[4:].split(marks.field)], marks)]
    for line in lines:
        if _HEADERS.match(line):
            continue
        if _SEGMENT.match(line) and line[3:4] in (marks.field, ""):
            segments.append(Segment(line.split(marks.field), marks))
        else:
            _continue(segments[-1], line)
    return _by_patient(segments)


def _by_patient(segments: list[Segment]) -> list[Message]:
    """ORU^R01 may report on several patients and ADT^A40 merge several: what stands before the first is for all."""
    starts = [n for n, segment in enumerate(segments) if segment.name == "PID"]
    if len(starts) < 2:
        return [Message(segments)]
    common = segments[: starts[0]]
    ends = [*starts[1:], len(segments)]
    return [Message([*common, *segments[a:b]]) for a, b in zip(starts, ends, strict=True)]


def _decode(data: bytes) -> str:
    """The text of a message: UTF-8 if it can be, whatever MSH-18 says; else as that says, else as it looks."""
    sent = data.split(b"\r", 1)[0].split(b"\n", 1)[0].split(data[3:4])
    declared = sent[17].decode("ascii", "replace").split("~") if len(sent) > 17 else []
    known = [_CHARACTER_SETS[name] for one in declared if (name := one.strip().upper()) in _CHARACTER_SETS]
    if known and known[0].startswith("iso2022"):
        data = _SWITCH.sub(lambda switch: b"\x1b" + bytes.fromhex(switch[1].decode()), data)
    elif not known or _is_utf8(data):
        return decode(data)
    try:
        return decode(data.decode(known[0]).encode())
    except UnicodeError:
        raise unreadable("encoding-unsure") from None


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _delimiters(line: str) -> Delimiters:
    separator = line[3:4]
    # Messages copied out of program code have the escape character twice.
    others = "".join(dict.fromkeys(line[4:].split(separator, 1)[0].strip()))
    if not separator or separator.isalnum() or len(others) < 4 or any(c.isalnum() for c in others):
        raise unreadable("hl7-corrupt")
    return Delimiters(separator, *others[:4])


def _continue(segment: Segment, line: str) -> None:
    first, *rest = line.split(segment.delimiters.field)
    segment.fields[-1] += "\n" + first
    segment.fields += rest


def _unescape(text: str, marks: Delimiters) -> str:
    if marks.escape not in text:
        return text
    escape = re.escape(marks.escape)
    characters = {
        "F": marks.field, "S": marks.component, "T": marks.subcomponent, "R": marks.repetition,
        "E": marks.escape, "P": "#",
    }  # fmt: skip

    def resolve(match: re.Match[str]) -> str:
        inside = match[1]
        if inside in characters:
            return characters[inside]
        if inside.lower() in _FORMATTING:
            return _FORMATTING[inside.lower()]
        if inside[0] in "Xx":
            data = bytes.fromhex(inside[1:])
            try:
                text = data.decode("utf-8")
            except UnicodeDecodeError:
                text = data.decode("cp1252", errors="replace")
            return text.replace("\r\n", "\n").replace("\r", "\n")
        command, count = inside[1:3].lower(), int(inside[3:] or 1)
        return {"sp": "\n" * min(count, _MOST_SPACE), "sk": " " * min(count, _MOST_SPACE)}.get(command, "")

    # Without a closing one, or around anything else, the character is a plain one (a path, a typing error).
    return re.sub(
        rf"{escape}([FSTREPHN]|\.[A-Za-z]{{2}}(?:[+-]?\d{{1,4}})?|[Xx](?:[0-9A-Fa-f]{{2}})+){escape}",
        resolve,
        text,
    )
