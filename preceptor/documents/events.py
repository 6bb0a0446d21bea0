"""What reading a file tells, in order, and how it is said over a pipe.

    ItemBegins("notes/1.txt")  FormatFound("text")  patient…  document…  refused part…  ItemEnds()
    ItemBegins("scan.pdf")     ItemEnds(rule="pdf-no-text")

A file is one item, an archive one for each member. A frame is a length of four bytes (big-endian) and JSON: values
that come out of a process which has read a hostile file are never unpickled.
"""

from __future__ import annotations

import base64
import json
import struct
from dataclasses import asdict, dataclass
from typing import IO, Any

from preceptor.records import ParsedDocument, PatientRecord, RefusedPart

_LENGTH = struct.Struct(">I")
_MAX_FRAME = 1 << 30


@dataclass(frozen=True, slots=True)
class ItemBegins:
    """A file, or a member of an archive, whose content has this SHA-256; `member` is its path inside, or empty."""

    member: str
    digest: str


@dataclass(frozen=True, slots=True)
class FormatFound:
    """The format that the item's documents are in; comes before them."""

    name: str


@dataclass(frozen=True, slots=True)
class ItemEnds:
    """The item was read, or broke this rule. `data` is what quarantine keeps of a member."""

    rule: str = ""
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class FileEnds:
    """There is nothing more in this file. `fit`: whether the process may be given another."""

    fit: bool = True


Event = ItemBegins | FormatFound | ItemEnds | FileEnds | ParsedDocument | PatientRecord | RefusedPart
_KINDS: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (ItemBegins, FormatFound, ItemEnds, FileEnds, ParsedDocument, PatientRecord, RefusedPart)
}


def send(stream: IO[bytes], event: Event) -> None:
    """Write one event as a frame. Lone halves of surrogate pairs, which no store can hold, become `?`."""
    body = json.dumps([type(event).__name__, asdict(event)], ensure_ascii=False, default=_as_text)
    frame = body.encode("utf-8", "replace")
    stream.write(_LENGTH.pack(len(frame)) + frame)
    stream.flush()


def _as_text(value: Any) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError


def receive(stream: IO[bytes]) -> Event | None:
    """Read one event; None if the other side has gone, also in the middle of a frame."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    body = stream.read(length) if length <= _MAX_FRAME else b""
    if len(body) < length:
        return None
    kind, values = json.loads(body)
    if kind in ("ItemEnds", "RefusedPart"):
        values["data"] = base64.b64decode(values["data"])
    if kind == "PatientRecord":
        return _patient(values)
    if kind == "ParsedDocument" and values["patient"]:
        values["patient"] = _patient(values["patient"])
    return _KINDS[kind](**values)


def _patient(values: dict[str, Any]) -> PatientRecord:
    fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
    return PatientRecord(**fields)
