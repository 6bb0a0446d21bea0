"""Reading one file, whatever it is: a document, a table of documents, an archive of both. Yields events."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from preceptor.documents import rows
from preceptor.documents.archives import Budget, Member, archive_kind, members
from preceptor.documents.errors import UnreadableFile, unreadable
from preceptor.documents.events import Event, FormatFound, ItemBegins, ItemEnds
from preceptor.documents.limits import Limits
from preceptor.documents.registry import read_bytes
from preceptor.documents.text import decode
from preceptor.records import RefusedPart

_HEAD = 1 << 16
_MAX_DEPTH = 3  # archives inside archives
_TABLE_SUFFIXES = (".csv", ".tsv")


def read_events(path: Path, limits: Limits, skip: int = 0) -> Iterator[Event]:
    """Yield what is in a file. The first `skip` items of an archive are passed over unread.

    Never raises for what the file holds; OSError if it cannot be opened. MemoryError goes through.
    """
    with path.open("rb") as stream:
        size = path.stat().st_size
        head = stream.read(_HEAD)
        stream.seek(0)
        kind = _archive(stream, head)
        if kind:
            if size > limits.max_archive_mb * 1_000_000:
                yield from (ItemBegins("", ""), ItemEnds(rule="too-large"))
            else:
                yield from _archive_events(stream, kind, limits, skip)
            return
        yield ItemBegins("", "")
        yield from _item(stream, size, head, path.suffix, limits)


def _archive(stream: IO[bytes], head: bytes) -> str | None:
    kind = archive_kind(head)
    if kind == "zip" and _is_office(stream):
        return None
    return kind


def _is_office(stream: IO[bytes]) -> bool:
    """Whether a ZIP is a document of an office program, or so damaged that only its reader can say what it was."""
    import zipfile

    from preceptor.documents import docx

    try:
        with zipfile.ZipFile(stream) as archive:
            names = archive.namelist()
    except Exception:  # noqa: BLE001 - zipfile raises many kinds for hostile files
        stream.seek(0)
        return b"word/" in stream.read(_HEAD)
    finally:
        stream.seek(0)
    return docx.BODY in names or "[Content_Types].xml" in names


def _archive_events(stream: IO[bytes], kind: str, limits: Limits, skip: int) -> Iterator[Event]:
    """The items of an archive; a break in its middle is an item of its own, so that nobody takes it for whole."""
    done = 0
    try:
        for place, found in _walk(stream, kind, limits, Budget(limits), "", 1):
            done += 1
            if done <= skip:
                continue
            if isinstance(found, RefusedPart):
                yield from (ItemBegins(place, _digest(place.encode())), ItemEnds(rule=found.rule))
                continue
            yield ItemBegins(place, _digest(found.data))
            suffix = PurePosixPath(found.name).suffix
            yield from _item(
                io.BytesIO(found.data), len(found.data), found.data[:_HEAD], suffix, limits, found.data
            )
    except UnreadableFile as error:
        yield from (ItemBegins("", ""), ItemEnds(rule=error.rule))
        return
    if not done:
        yield from (ItemBegins("", ""), ItemEnds(rule="empty"))


def _walk(
    stream: IO[bytes], kind: str, limits: Limits, budget: Budget, above: str, depth: int
) -> Iterator[tuple[str, Member | RefusedPart]]:
    """Members with their place, those of archives inside included."""
    for found in members(stream, kind, limits, budget):
        name = found.name if isinstance(found, Member) else found.place
        place = f"{above}{name}"
        if isinstance(found, Member):
            inner = io.BytesIO(found.data)
            inside = _archive(inner, found.data[:512])
            if inside and depth >= _MAX_DEPTH:
                yield place, RefusedPart(name, "nested-too-deep", b"")
                continue
            if inside:
                try:
                    yield from _walk(inner, inside, limits, budget, f"{place}/", depth + 1)
                except UnreadableFile as error:
                    if error.rule == "archive-expands":
                        raise
                    yield place, RefusedPart(name, error.rule, b"")
                continue
        yield place, found


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _item(
    stream: IO[bytes], size: int, head: bytes, suffix: str, limits: Limits, kept: bytes = b""
) -> Iterator[Event]:
    try:
        table = _table(head, suffix, limits)
        if table:
            if size > limits.max_table_mb * 1_000_000:
                raise unreadable("too-large")
            yield FormatFound(table)
            yield from (rows.read_csv if table == "csv" else rows.read_json_lines)(stream, limits)
            yield ItemEnds()
            return
        if size > limits.max_file_bytes:
            raise unreadable("too-large")
        data = stream.read()
        array = _json_rows(data, head, limits)
        if array is not None:
            yield FormatFound("jsonl")
            yield from rows.read_json_array(array, limits)
            yield ItemEnds()
            return
        format, parsed = read_bytes(data, suffix, limits=limits)
        if any(len(document.text) > limits.max_characters for document in parsed.documents):
            raise unreadable("too-long")
        yield FormatFound(format)
        yield from parsed.patients
        yield from parsed.documents
        yield from parsed.refused
        yield ItemEnds()
    except UnreadableFile as error:
        yield ItemEnds(rule=error.rule, data=kept)


def _table(head: bytes, suffix: str, limits: Limits) -> str | None:
    """`jsonl` or `csv` if a file begins like one."""
    first = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if first[:1] == b"{":
        line, end, rest = first.partition(b"\n")
        single = not rest.strip()
        named = suffix.lower() in (".jsonl", ".ndjson")
        if (named or not single) and rows.is_json_row(line.decode("utf-8", "replace")):
            return "jsonl"
        return None
    if suffix.lower() in _TABLE_SUFFIXES and head.strip():
        try:
            start = (
                head.decode("utf-16")
                if head[:2] in (b"\xff\xfe", b"\xfe\xff")
                else head.decode("utf-8-sig", "replace")
            )
        except UnicodeDecodeError:
            return None
        if "\0" in start:
            return None
        if not rows.looks_like_csv(start.lstrip("\r\n").splitlines()[0], limits):
            raise unreadable("table-columns")
        return "csv"
    return None


def _json_rows(data: bytes, head: bytes, limits: Limits) -> list[dict] | None:
    """The objects of a JSON file that is rows of documents: an array of them, or one alone. None for all else."""
    first = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if first not in (b"[", b"{"):
        return None
    try:
        found = json.loads(decode(data).lstrip("\ufeff"))
    except (ValueError, RecursionError, UnreadableFile):
        return None
    objects = found if isinstance(found, list) else [found]
    if not objects or not all(isinstance(o, dict) and "resourceType" not in o for o in objects):
        return None
    try:
        rows.columns_of(list(objects[0]), limits.columns)
    except UnreadableFile:
        return None
    return objects
