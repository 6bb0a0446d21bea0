"""Write the bundled corpus from annotated notes: `python examples/corpus/build.py [--check]`.

Every note becomes one file in one of eight formats, chosen by its kind and its id, so that adding a note changes no
other file. `--check` builds into a temporary folder, compares byte for byte and exits with 1 if anything differs.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

from writers import ccda, docx, fhir, hl7v2, html, pdf, rtf, text
from writers.facts import stable_hash

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CONVERTER = ROOT / "tests" / "gold" / "convert.py"
NOTES = (
    *((ROOT / "preceptor/deid/tagger/annotated" / f"{name}.txt") for name in ("behavioural", "cardiology")),
    ROOT / "tests/gold/gold.txt",
    *((ROOT / "preceptor/deid/tagger/annotated" / f"{name}.txt") for name in ("orthopaedics", "reasoning")),
)

COUNTS = "<!-- counts: build.py keeps the next lines up to date -->"
COUNTS_END = "<!-- /counts -->"
WRITERS = {
    "text": (text.write, ".txt"), "pdf": (pdf.write, ".pdf"), "docx": (docx.write, ".docx"), "rtf": (rtf.write, ".rtf"),
    "html": (html.write, ".html"), "ccda": (ccda.write, ".xml"), "fhir": (fhir.write, ".json"),
    "hl7v2": (hl7v2.write, ".hl7"),
}  # fmt: skip
# Words of a note's type and the formats in which hospitals keep such notes, the likelier more than once.
FORMATS = (
    ("transcript", ("text", "docx", "html", "rtf")),
    ("letter", ("pdf", "rtf", "docx")),
    ("fax", ("pdf", "rtf")),
    ("authori", ("pdf", "docx", "rtf")),
    ("operative report", ("rtf", "ccda", "hl7v2", "pdf")),
    ("report", ("hl7v2", "hl7v2", "pdf", "fhir")),
    ("test", ("hl7v2", "pdf", "fhir")),
    ("check", ("hl7v2", "pdf")),
    ("discharge", ("ccda", "pdf", "fhir", "hl7v2")),
    ("consult", ("ccda", "hl7v2", "docx", "fhir")),
    ("message", ("html", "fhir")),
    ("telephone", ("text", "hl7v2", "html")),
    ("", ("ccda", "fhir", "hl7v2", "text", "html", "docx", "rtf", "pdf")),
)


def annotated_notes() -> list[dict[str, Any]]:
    """The annotated notes that the corpus is made of."""
    read = _converter().read_notes
    return [note for path in NOTES for note in read(path)]


def _converter() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gold_convert", CONVERTER)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def choose_format(note: dict[str, Any]) -> str:
    """The format of a note: by its kind, and among those that suit, by its id."""
    suited = next(formats for words, formats in FORMATS if words in note["note_type"].lower())
    start = stable_hash(note["note_id"], "format") % len(suited)
    choices = suited[start:] + suited[:start]
    return next(c for c in choices if c != "pdf" or has_latin_letters(note["text"]))


def has_latin_letters(text: str) -> bool:
    """Whether PDF's built-in fonts have all letters of a text."""
    try:
        text.encode("cp1252")
    except UnicodeEncodeError:
        return False
    return True


def file_name(note: dict[str, Any]) -> str:
    """The name of a note's file: its kind and a short number, as document systems name what they export."""
    kind = "".join(c if c.isalnum() else "-" for c in note["note_type"].lower()).strip("-")
    return f"{kind}-{stable_hash(note['note_id'], 'name') % 10**6:06d}{WRITERS[choose_format(note)][1]}"


def build(target: Path) -> int:
    """Write documents/, records.jsonl and README.md below `target` and return the number of notes."""
    notes = annotated_notes()
    files = {note["note_id"]: file_name(note) for note in notes}
    if len(set(files.values())) != len(files):
        raise SystemExit("Two notes got one file name: lengthen the number in file_name().")
    folder = target / "documents"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for note in notes:
        write = WRITERS[choose_format(note)][0]
        (folder / files[note["note_id"]]).write_bytes(write(note))
    rows = [*_patient_rows(notes), *(_document_row(note, files) for note in notes)]
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    (target / "records.jsonl").write_bytes(lines.encode())
    _count(notes, target)
    return len(notes)


def _count(notes: list[dict[str, Any]], target: Path) -> None:
    """Put the numbers of documents into the README between its two marks."""
    by_format = Counter(choose_format(note) for note in notes)
    by_specialty = Counter(note["specialty"] for note in notes)
    patients = len({note["patient_id"] for note in notes})

    def listed(counts: Counter[str]) -> str:
        return ", ".join(f"{name} {number}" for name, number in sorted(counts.items()))

    counts = (
        f"{len(notes)} documents of {patients} patients, {sum(len(n['text'].split()) for n in notes):,} words.\n\n"
        f"- by format: {listed(by_format)}\n- by specialty: {listed(by_specialty)}\n"
        f"- with ICD-10-CM codes: {sum(bool(n.get('icd10')) for n in notes)}, with a reference summary: "
        f"{sum(bool(n.get('reference_summary')) for n in notes)}, with a differential: "
        f"{sum(bool(n.get('differential')) for n in notes)}, written after a transcript: "
        f"{sum(bool(n.get('follows')) for n in notes)}\n"
    )
    before, _, rest = (HERE / "README.md").read_text(encoding="utf-8").partition(COUNTS)
    _, end, after = rest.partition(COUNTS_END)
    (target / "README.md").write_bytes(f"{before}{COUNTS}\n{counts}{end}{after}".encode())


def _patient_rows(notes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row a patient: what any of the patient's notes knows. Values that differ become a list; of a relative who
    is described, the name and the phone are kept, since a record has no place for more."""
    patients: dict[str, dict[str, list[Any]]] = {}
    for note in notes:
        known = patients.setdefault(note["patient_id"], {})
        for key, value in note.get("patient", {}).items():
            values = known.setdefault(key, [])
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, dict):
                    known.setdefault("phones", []).extend([one["phone"]] if "phone" in one else [])
                    one = one["name"]
                if one not in values:
                    values.append(one)
    lists = {"relatives", "former_names", "aliases", "phones"}
    return [
        {"kind": "patient", "patient_id": patient_id}
        | {
            key: values if key in lists or len(values) > 1 else values[0]
            for key, values in known.items()
            if values
        }
        for patient_id, known in patients.items()
    ]


def _document_row(note: dict[str, Any], files: dict[str, str]) -> dict[str, Any]:
    row = {
        "kind": "document",
        "file": files[note["note_id"]],
        "patient_id": note["patient_id"],
        "note_type": note["note_type"],
        "specialty": note["specialty"],
        "encounter": note.get("encounter"),
        "codes": {code: note.get("evidence", {}).get(code, []) for code in note.get("icd10", [])},
        "reference_summary": note.get("reference_summary"),
        "differential": note.get("differential"),
        "follows": files[note["follows"]] if note.get("follows") else None,
    }
    return {key: value for key, value in row.items() if value}


def differences(built: Path, kept: Path) -> list[str]:
    """The files of two corpora that are not the same bytes, by name."""

    def contents(root: Path) -> dict[str, bytes]:
        paths = [root / "README.md", root / "records.jsonl", *sorted((root / "documents").glob("*"))]
        return {str(path.relative_to(root)): path.read_bytes() for path in paths if path.is_file()}

    one, other = contents(built), contents(kept)
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        print("usage: python examples/corpus/build.py [--check]", file=sys.stderr)
        return 2
    if not arguments:
        print(f"{build(HERE)} documents in {HERE / 'documents'}", file=sys.stderr)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder))
        differing = differences(Path(folder), HERE)
    for name in differing:
        print(f"differs: {name}", file=sys.stderr)
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
