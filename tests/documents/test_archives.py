"""Archives are read member by member in memory, and hostile ones contained."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from preceptor.documents.events import ItemBegins, ItemEnds
from preceptor.documents.limits import Limits
from preceptor.documents.reading import read_events
from preceptor.records import ParsedDocument

NOTES = {"ward/one.txt": b"One: seen for gout.", "ward/two.txt": b"Two: seen for croup."}


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def tarred(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def read(path: Path, data: bytes, **limits: float) -> dict[str, str]:
    """Member -> its text, or the rule that it broke."""
    path.write_bytes(data)
    said: dict[str, str] = {}
    member = ""
    for event in read_events(path, Limits(**limits)):  # type: ignore[arg-type]
        match event:
            case ItemBegins():
                member = event.member
            case ParsedDocument():
                said[member] = event.text
            case ItemEnds(rule=rule) if rule:
                said[member] = rule
    return said


@pytest.mark.parametrize(
    "pack",
    [
        zipped,
        tarred,
        lambda m: gzip.compress(tarred(m)),
        lambda m: bz2.compress(tarred(m)),
        lambda m: lzma.compress(tarred(m)),
    ],
    ids=["zip", "tar", "tar.gz", "tar.bz2", "tar.xz"],
)
def test_every_member_is_read(pack: Callable[[dict[str, bytes]], bytes], tmp_path: Path) -> None:
    read_out = read(tmp_path / "export", pack(NOTES | {"__MACOSX/x": b"junk", ".DS_Store": b"junk"}))
    assert read_out == {name: data.decode() for name, data in NOTES.items()}


def test_archives_inside_archives_are_read_with_their_place(tmp_path: Path) -> None:
    inner = {"deep/two.txt": NOTES["ward/two.txt"]}
    said = read(tmp_path / "a.zip", zipped({"one.txt": NOTES["ward/one.txt"], "in.tar": tarred(inner)}))
    assert set(said) == {"one.txt", "in.tar/deep/two.txt"}


def test_one_packed_file_is_read(tmp_path: Path) -> None:
    assert read(tmp_path / "note.txt.gz", gzip.compress(b"Seen for gout.")) == {"content": "Seen for gout."}


def test_a_bad_member_costs_itself_only(tmp_path: Path) -> None:
    said = read(tmp_path / "a.zip", zipped({"bad.pdf": b"%PDF-1.7 cut", **NOTES}))
    assert said == {"bad.pdf": "pdf-corrupt"} | {name: data.decode() for name, data in NOTES.items()}


def test_a_member_whose_bytes_were_changed_is_not_taken_for_a_note(tmp_path: Path) -> None:
    data = bytearray(zipped({"a.txt": b"Seen for gout. " * 40}))
    data[50] ^= 0xFF
    assert read(tmp_path / "a.zip", bytes(data)) == {"a.txt": "archive-corrupt"}


def test_the_budget_bounds_all_members_together(tmp_path: Path) -> None:
    many = {f"{n}.txt": b"0" * 900_000 for n in range(10)}
    said = read(tmp_path / "a.zip", zipped(many), max_expanded_mb=3)
    assert said[""] == "archive-expands"
    assert len(said) < 10
    assert read(tmp_path / "b.zip", zipped(many), max_members=4)[""] == "archive-expands"


def test_an_archive_cut_short_says_so_beside_the_members_that_were_whole(tmp_path: Path) -> None:
    data = tarred({f"{n}.txt": b"Seen for gout. " * 100 for n in range(9)})
    said = read(tmp_path / "a.tar", data[: len(data) // 2])
    assert said.pop("") == "archive-corrupt"
    assert said and set(said.values()) <= {("Seen for gout. " * 100).strip(), "archive-corrupt"}


def test_an_empty_archive_is_accounted_for(tmp_path: Path) -> None:
    assert read(tmp_path / "a.zip", zipped({})) == {"": "empty"}


def test_the_first_items_can_be_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zipped(NOTES))
    begun = [e.member for e in read_events(path, Limits(), skip=1) if isinstance(e, ItemBegins)]
    assert begun == ["ward/two.txt"]
