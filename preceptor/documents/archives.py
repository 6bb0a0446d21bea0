"""ZIP and tar archives, read member by member in memory: nothing is ever unpacked onto the disk.

An archive is hostile until read: what a member's header claims is not believed, paths that climb out are refused
though nothing is written there, and one budget of bytes bounds all members and archives inside archives together.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO

from preceptor.documents.errors import unreadable
from preceptor.documents.limits import Limits
from preceptor.records import RefusedPart

_ZIP_ERRORS = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, ValueError,
    NotImplementedError, RuntimeError,
)  # fmt: skip
_TAR_ERRORS = (tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError)
_PACKED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0")
# Text shrinks about tenfold when packed, seldom thirtyfold; beyond a hundred it is made to burst.
_BOMB_RATIO = 100
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Member:
    """A file inside an archive: its path there, and its content."""

    name: str
    data: bytes


class Budget:
    """Bytes and members that one file of intake may still unpack, archives inside it included."""

    def __init__(self, limits: Limits) -> None:
        self.bytes = int(limits.max_expanded_mb * 1_000_000)
        self.members = limits.max_members

    def member(self) -> None:
        """Count one member. Raises `UnreadableFile` when there were too many."""
        self.members -= 1
        if self.members < 0:
            raise unreadable("archive-expands")

    def spend(self, count: int) -> None:
        """Count unpacked bytes. Raises `UnreadableFile` when there were too many."""
        self.bytes -= count
        if self.bytes < 0:
            raise unreadable("archive-expands")


def archive_kind(start: bytes) -> str | None:
    """`zip` or `tar` by a file's first 512 bytes, else None. A packed single file (`.gz`) is taken for a tar."""
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if start[257:262] == b"ustar" or start.startswith(_PACKED):
        return "tar"
    return None


def members(stream: IO[bytes], kind: str, limits: Limits, budget: Budget) -> Iterator[Member | RefusedPart]:
    """The files of an archive, in its own order; those that may not or cannot be read as refused parts.

    Raises `UnreadableFile` (`archive-corrupt`, `archive-expands`) when there is no going on. Folders and the
    resource forks that macOS adds are passed over.
    """
    reader = _zip if kind == "zip" else _tar
    for found in reader(stream, limits, budget):
        name = found.name if isinstance(found, Member) else found.place
        if not _is_litter(name):
            budget.member()
            yield found


def _is_litter(name: str) -> bool:
    parts = PurePosixPath(name).parts
    return "__MACOSX" in parts or bool(parts) and parts[-1] in (".DS_Store", "Thumbs.db", "desktop.ini")


def _climbs(name: str) -> bool:
    path = name.replace("\\", "/")
    return path.startswith("/") or path[1:2] == ":" or ".." in path.split("/") or "\0" in path


def _zip(stream: IO[bytes], limits: Limits, budget: Budget) -> Iterator[Member | RefusedPart]:
    try:
        archive = zipfile.ZipFile(stream)
    except _ZIP_ERRORS:
        raise unreadable("archive-corrupt") from None
    with archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            mode = info.external_attr >> 16
            if _climbs(info.filename):
                yield RefusedPart(info.filename, "archive-path", b"")
            elif mode and stat.S_ISLNK(mode):
                yield RefusedPart(info.filename, "archive-link", b"")
            elif info.flag_bits & 1:
                yield RefusedPart(info.filename, "archive-encrypted", b"")
            elif info.file_size > limits.max_file_bytes:
                burst = info.file_size > _BOMB_RATIO * max(info.compress_size, 1)
                yield RefusedPart(info.filename, "archive-expands" if burst else "too-large", b"")
            else:
                yield _zip_member(archive, info, limits, budget)


def _zip_member(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, limits: Limits, budget: Budget
) -> Member | RefusedPart:
    try:
        with archive.open(info) as content:
            return _bounded(info.filename, content, limits, budget)
    except _ZIP_ERRORS:
        return RefusedPart(info.filename, "archive-corrupt", b"")


def _tar(stream: IO[bytes], limits: Limits, budget: Budget) -> Iterator[Member | RefusedPart]:
    try:
        content = _unpacked(stream)
        is_tar = content.read(512)[257:262] == b"ustar"
        content.seek(0)
        if is_tar:
            yield from _tar_members(content, limits, budget)
        else:  # one file that was packed by itself (`note.txt.gz`)
            yield _bounded("content", content, limits, budget)
    except _TAR_ERRORS:
        raise unreadable("archive-corrupt") from None


def _unpacked(stream: IO[bytes]) -> IO[bytes]:
    start = stream.read(6)
    stream.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=stream)  # type: ignore[return-value]
    if start.startswith(b"BZh"):
        return bz2.BZ2File(stream)
    return lzma.LZMAFile(stream) if start.startswith(b"\xfd7zXZ\0") else stream


def _tar_members(content: IO[bytes], limits: Limits, budget: Budget) -> Iterator[Member | RefusedPart]:
    with tarfile.open(fileobj=content, mode="r:") as archive:
        for info in archive:
            if info.isdir():
                continue
            if _climbs(info.name):
                yield RefusedPart(info.name, "archive-path", b"")
            elif not info.isreg():
                yield RefusedPart(info.name, "archive-link", b"")
            elif info.size > limits.max_file_bytes:
                # To pass over it in a packed tar, it has to be unpacked.
                budget.spend(info.size)
                yield RefusedPart(info.name, "too-large", b"")
            else:
                inside = archive.extractfile(info)
                assert inside is not None  # a regular file
                yield _bounded(info.name, inside, limits, budget)
        # tarfile takes a missing end for an end: a whole archive closes with a block of zeros.
        content.seek(archive.offset)
        if content.read(512) != bytes(512):
            raise unreadable("archive-corrupt")


def _bounded(name: str, content: IO[bytes], limits: Limits, budget: Budget) -> Member | RefusedPart:
    """A member's content, read no further than a document may be long, whatever its header says."""
    whole = io.BytesIO()
    while chunk := content.read(_CHUNK):
        budget.spend(len(chunk))
        whole.write(chunk)
        if whole.tell() > limits.max_file_bytes:
            return RefusedPart(name, "archive-expands", b"")
    return Member(name, whole.getvalue())
