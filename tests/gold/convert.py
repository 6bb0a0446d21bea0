"""Read the marked-up notes (`*.txt` beside this file), check them, and give them back as plain records.

A note's source is a header of `key: value` lines and a body in which every identifier is written
`[[TYPE|exact text]]`. `python tests/gold/convert.py FILE...` checks files and prints counts; other code calls
`read_notes`. Offsets are in code points of the text without markup.
"""

from __future__ import annotations

import collections
import json
import re
import sys
from pathlib import Path

TYPES = frozenset(
    "PATIENT DOCTOR RELATIVE USERNAME PROFESSION HOSPITAL ORGANIZATION STREET CITY STATE COUNTRY ZIP "
    "LOCATION_OTHER AGE DATE YEAR PHONE FAX EMAIL URL SSN MRN HEALTHPLAN ACCOUNT LICENSE VEHICLE DEVICE "
    "BIOID IP IDNUM".split()
)
JSON_KEYS = frozenset({"patient", "icd10", "evidence", "differential"})
TEXT_KEYS = frozenset(
    {"note_type", "specialty", "style", "patient_id", "encounter", "follows", "reference_summary"}
)
REQUIRED = ("note_type", "specialty", "style", "patient_id")
MARK = re.compile(r"\[\[([A-Z_]+)\|(.*?)\]\]", re.S)
ICD10CM = re.compile(r"[A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?")


class MarkupError(ValueError):
    """A note's source breaks a rule of the format; the message names the note and the rule."""


def read_notes(path: Path) -> list[dict]:
    """Return the notes of one marked-up file, in order, each with `text` and `spans`."""
    parts = re.split(r"(?m)^=== ", path.read_text(encoding="utf-8"))[1:]
    return [_parse(part, path.name) for part in parts]


def read_all(folder: Path = Path(__file__).parent) -> list[dict]:
    """Return every note of every marked-up file; note ids are unique across files."""
    notes = [note for path in sorted(folder.glob("*.txt")) for note in read_notes(path)]
    repeated = [i for i, n in collections.Counter(n["note_id"] for n in notes).items() if n > 1]
    if repeated:
        raise MarkupError(f"note ids used twice: {', '.join(repeated)}")
    return notes


def _parse(part: str, file: str) -> dict:
    first, rest = part.split("\n", 1)
    note_id = first.strip()
    where = f"{file}: {note_id}"
    pieces = rest.split("---\n", 2)
    if len(pieces) != 3 or pieces[0].strip():
        raise MarkupError(f"{where}: the header must stand between two lines of ---")
    note: dict = {"note_id": note_id}
    for line in pieces[1].strip().split("\n"):
        key, _, value = line.partition(": ")
        if key in JSON_KEYS:
            try:
                note[key] = json.loads(value)
            except json.JSONDecodeError as error:
                raise MarkupError(f"{where}: {key} is not JSON ({error.msg})") from None
        elif key in TEXT_KEYS:
            note[key] = value.strip()
        else:
            raise MarkupError(f"{where}: unknown header key {key!r}")
    missing = [k for k in REQUIRED if not note.get(k)]
    if missing:
        raise MarkupError(f"{where}: header lacks {', '.join(missing)}")
    note["text"], note["spans"] = _unmark(pieces[2], where)
    _check_labels(note, where)
    return note


def _unmark(body: str, where: str) -> tuple[str, list[dict]]:
    text, spans, at = "", [], 0
    for mark in MARK.finditer(body):
        text += body[at : mark.start()]
        kind, inner = mark.groups()
        if kind not in TYPES or inner != inner.strip() or "[[" in inner or not inner:
            raise MarkupError(f"{where}: bad markup of type {kind}: {inner!r}")
        spans.append({"start": len(text), "end": len(text) + len(inner), "type": kind, "text": inner})
        text += inner
        at = mark.end()
    text += body[at:]
    if "[[" in text or "]]" in text:
        raise MarkupError(f"{where}: unbalanced markup")
    return text, spans


def _check_labels(note: dict, where: str) -> None:
    codes = note.get("icd10", [])
    for code in codes:
        if not ICD10CM.fullmatch(code):
            raise MarkupError(f"{where}: {code!r} does not look like an ICD-10-CM code")
    identifying = [s for s in note["spans"] if s["type"] not in ("YEAR", "AGE")]
    for code, quotes in note.get("evidence", {}).items():
        if code not in codes:
            raise MarkupError(f"{where}: evidence for {code}, which is not in icd10")
        for quote in quotes:
            at = note["text"].find(quote)
            if at < 0:
                raise MarkupError(f"{where}: evidence for {code} is not in the text: {quote!r}")
            if any(s["start"] < at + len(quote) and at < s["end"] for s in identifying):
                raise MarkupError(f"{where}: evidence for {code} quotes an identifier: {quote!r}")
    for item in note.get("differential", []):
        if set(item) != {"diagnosis", "for", "against"}:
            raise MarkupError(f"{where}: a differential entry has diagnosis, for and against")


def main(arguments: list[str]) -> None:
    """Check the files named on the command line (all of them by default) and print counts."""
    paths = [Path(a) for a in arguments] or sorted(Path(__file__).parent.glob("*.txt"))
    for path in paths:
        notes = read_notes(path)
        types = collections.Counter(s["type"] for n in notes for s in n["spans"])
        words = sum(len(n["text"].split()) for n in notes)
        patients = len({n["patient_id"] for n in notes})
        print(
            f"{path.name}: {len(notes)} notes, {patients} patients, {words} words, {sum(types.values())} spans"
        )
        print("  " + ", ".join(f"{k} {v}" for k, v in types.most_common()))


if __name__ == "__main__":
    main(sys.argv[1:])
