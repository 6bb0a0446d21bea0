r"""HL7 v2's encoding: segments, fields, repetitions, components and escapes, whatever the sender's habits.

OBX|1|FT|11488-4^Consult note^LN||first line\.br\50\T\60^second~third
^name   ^field 3, parts 1 2 3      ^field 5: two repetitions, the first of two parts, with escapes
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from preceptor.documents.errors import unreadable

_SEGMENT = re.compile(r"[A-Z][A-Z0-9]{2}(?=[^\w\s]|$)")
_FORMATTING = {"H": "", "N": "", ".br": "\n", ".ce": "\n", ".nf": "", ".fi": ""}


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

    def repeats(self, number: int) -> list[list[str]]:
        """A field as repetitions of components, escapes resolved; subcomponents joined by a space."""
        marks = self.delimiters
        return [
            [
                _unescape(part.replace(marks.subcomponent, " "), marks).strip()
                for part in one.split(marks.component)
            ]
            for one in self.raw(number).split(marks.repetition)
            if one
        ]

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


def messages(text: str) -> list[Message]:
    """Return the messages of a file. Batch headers and MLLP frames fall away.

    A line that begins with no segment name goes on with the field before it: many senders break report text
    with bare line ends. Raises `UnreadableFile` `hl7-corrupt` for a message header without its delimiters.
    """
    found: list[Message] = []
    marks = Delimiters()
    for line in re.split(r"\r\n|\r|\n", text.replace("\x0b", "").replace("\x1c", "")):
        if line.startswith("MSH"):
            marks = _delimiters(line)
            # MSH-1 is the field separator itself, so every number moves by one.
            found.append(Message([Segment(["MSH", marks.field, *line[4:].split(marks.field)], marks)]))
        elif re.match(r"(FHS|BHS|BTS|FTS)[^\w\s]", line) or not found:
            continue
        elif _SEGMENT.match(line) and line[3:4] in (marks.field, ""):
            found[-1].segments.append(Segment(line.split(marks.field), marks))
        else:
            _continue(found[-1].segments[-1], line)
    if not found:
        raise unreadable("hl7-corrupt")
    return found


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
        "E": marks.escape,
    }  # fmt: skip

    def resolve(match: re.Match[str]) -> str:
        inside = match[1]
        if inside in characters:
            return characters[inside]
        if inside in _FORMATTING:
            return _FORMATTING[inside]
        if re.fullmatch(r"X([0-9A-Fa-f]{2})+", inside):
            data = bytes.fromhex(inside[1:])
            try:
                return data.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
            except UnicodeDecodeError:
                return data.decode("cp1252", errors="replace")
        skip = re.fullmatch(r"\.(sp|sk|in|ti)([+-]?\d*)", inside)
        if skip:
            count = int(skip[2] or 1)
            return {"sp": "\n" * count, "sk": " " * count}.get(skip[1], "")
        return match[0]

    # Without a closing one, or around anything else, the character is a plain one (a path, a typing error).
    return re.sub(rf"{escape}([FSTREHN]|\.[a-z]{{2}}[+-]?\d*|X[0-9A-Fa-f]+){escape}", resolve, text)
