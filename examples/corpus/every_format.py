"""Write the notes of the corpus in every format that intake reads: `python examples/corpus/every_format.py FOLDER`.

Each note becomes a file in each of the eight formats, then all notes once more as rows (JSONL, CSV) and packed (ZIP,
tar.gz): the same notes, so that a vault that has the first format accepts nothing new from the last four for patients
it can tell.
"""

from __future__ import annotations

import csv
import io
import json
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

from build import WRITERS, annotated_notes, has_latin_letters


def write_formats(
    notes: list[dict[str, Any]], folder: Path, formats: tuple[str, ...] = tuple(WRITERS)
) -> int:
    """Write every note in every format into a folder of the format's name; return the number of files."""
    count = 0
    for name in formats:
        write, suffix = WRITERS[name]
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number, note in enumerate(notes):
            if name == "pdf" and not has_latin_letters(note["text"]):
                continue  # PDF's built-in fonts lack its letters
            (folder / name / f"note-{number:05d}{suffix}").write_bytes(write(note))
            count += 1
    return count


def rows(notes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The notes as rows of a table of documents."""
    keys = ("note_id", "text", "patient_id", "note_type", "specialty")
    return [{key: note.get(key) for key in keys} for note in notes]


def write_tables(notes: list[dict[str, Any]], folder: Path) -> None:
    """Write all notes as one JSONL and one CSV file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "notes.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows(notes)))
    with (folder / "notes.csv").open("w", newline="", encoding="utf-8") as stream:
        table = csv.DictWriter(stream, list(rows(notes)[0]))
        table.writeheader()
        table.writerows(rows(notes))


def write_archives(notes: list[dict[str, Any]], folder: Path) -> None:
    """Write all notes as text files in a ZIP and in a tar.gz."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        zipfile.ZipFile(folder / "notes.zip", "w", zipfile.ZIP_DEFLATED) as packed,
        tarfile.open(folder / "notes.tar.gz", "w:gz") as tar,
    ):
        for number, note in enumerate(notes):
            data = WRITERS["text"][0](note)
            packed.writestr(f"ward/note-{number:05d}.txt", data)
            info = tarfile.TarInfo(f"ward/note-{number:05d}.txt")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    folder = Path(arguments[0])
    notes = annotated_notes()
    count = write_formats(notes, folder)
    write_tables(notes, folder / "tables")
    write_archives(notes, folder / "archives")
    print(
        f"{count} files in {len(WRITERS)} formats, 2 tables and 2 archives of {len(notes)} notes in {folder}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
