"""The bundled corpus: what its files say is what the annotated notes say, in every format."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from preceptor.documents.records_file import read_records
from preceptor.documents.registry import FORMATS
from preceptor.records import ParsedDocument

ROOT = Path(__file__).resolve().parent.parent.parent
CORPUS = ROOT / "examples" / "corpus"
ReadAs = Callable[..., tuple[str, list[ParsedDocument]]]
Note = dict[str, Any]
STRUCTURED = ("ccda", "fhir", "hl7v2")


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.split("\n") if line.strip()]


def check_same(one: list[str], other: list[str], what: str) -> None:
    """Fail with the place of the first difference alone: a failing test must not print a note."""
    if one != other:
        pairs = enumerate(zip(one, other, strict=False))
        at = next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))
        pytest.fail(f"{what}: item {at} of {len(one)} differs", pytrace=False)


def test_a_note_reads_back_as_it_was_written(note: Note, corpus_build: ModuleType, read_as: ReadAs) -> None:
    chosen = corpus_build.choose_format(note)
    found, documents = read_as(corpus_build.file_name(note), corpus_build.WRITERS[chosen][0](note))
    assert (found, len(documents)) == (chosen, 1)
    text = documents[0].text
    if chosen == "pdf":  # lines are wrapped to the page
        check_same(note["text"].split(), text.split(), note["note_id"])
    else:
        check_same(lines(note["text"]), lines(text), note["note_id"])


@pytest.mark.parametrize("chosen", FORMATS)
def test_every_format_can_carry_every_eighth_note(
    chosen: str, notes: list[Note], corpus_build: ModuleType, read_as: ReadAs
) -> None:
    for note in notes[::8]:
        if chosen == "pdf" and not corpus_build.has_latin_letters(note["text"]):
            continue
        found, documents = read_as(
            f"note{corpus_build.WRITERS[chosen][1]}", corpus_build.WRITERS[chosen][0](note)
        )
        assert found == chosen
        check_same(note["text"].split(), documents[0].text.split(), note["note_id"])


def test_all_formats_are_in_the_corpus(notes: list[Note], corpus_build: ModuleType) -> None:
    assert {corpus_build.choose_format(note) for note in notes} == set(FORMATS)


@pytest.mark.parametrize("chosen", STRUCTURED)
def test_the_header_gives_the_patient(
    chosen: str, notes: list[Note], corpus_build: ModuleType, read_as: ReadAs
) -> None:
    for note in notes[::5]:
        known = note["patient"]
        _, (document,) = read_as(
            f"note{corpus_build.WRITERS[chosen][1]}", corpus_build.WRITERS[chosen][0](note)
        )
        record = document.patient
        assert record is not None
        name = " ".join(w for w in known["name"].split() if w not in ("Jr.", "Sr.", "II", "III", "IV"))
        checks = {
            "names": record.names == (name,),
            "born": record.birth_date == known["dob"],
            "mrn": record.identifiers["mrn"] == record.patient_id == known["mrn"],
            "phone": record.phones == ((known["phone"],) if "phone" in known else ()),
            "email": record.emails == ((known["email"],) if "email" in known else ()),
            "address": record.addresses == ((known["address"],) if "address" in known else ()),
            "relatives": len(record.relatives) == len(known.get("relatives", [])),
            "ssn": record.identifiers.get("ssn") == known.get("ssn"),
            "encounter": document.encounter == note.get("encounter"),
            "specialty": document.specialty == note["specialty"],
        }
        assert [what for what, right in checks.items() if not right] == [], note["note_id"]


def test_fhir_carries_the_codes_and_their_evidence(
    notes: list[Note], corpus_build: ModuleType, read_as: ReadAs
) -> None:
    for note in (n for n in notes if n.get("icd10")):
        _, (document,) = read_as("note.json", corpus_build.WRITERS["fhir"][0](note))
        assert document.codes == {c: note.get("evidence", {}).get(c, []) for c in note["icd10"]}, note[
            "note_id"
        ]


def test_hl7_messages_satisfy_an_independent_parser(notes: list[Note], corpus_build: ModuleType) -> None:
    from hl7apy.parser import parse_message

    for note in notes[::20]:
        sent = corpus_build.WRITERS["hl7v2"][0](note).decode().replace("\r\n", "\r").replace("\n", "\r")
        message = parse_message(sent, find_groups=False)
        assert len(message.obx) == len(note["text"].strip("\n").split("\n"))
        assert message.pid.pid_5.pid_5_1.value.replace("\\T\\", "&") in note["patient"]["name"]


def test_docx_files_satisfy_python_docx(notes: list[Note], corpus_build: ModuleType) -> None:
    import io

    from docx import Document

    note = notes[0]
    document = Document(io.BytesIO(corpus_build.WRITERS["docx"][0](note)))
    check_same(lines(note["text"]), lines("\n".join(p.text for p in document.paragraphs)), note["note_id"])


def test_the_kept_files_are_what_the_notes_make() -> None:
    done = subprocess.run(
        [sys.executable, "examples/corpus/build.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_changed_file_is_noticed(corpus_build: ModuleType, tmp_path: Any) -> None:
    corpus_build.build(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    changed = next((tmp_path / "b" / "documents").iterdir())
    changed.write_bytes(changed.read_bytes() + b" ")
    assert corpus_build.differences(tmp_path / "a", tmp_path / "b") == [f"documents/{changed.name}"]


def test_records_name_every_file_and_patient() -> None:
    records = read_records(CORPUS / "records.jsonl")
    assert set(records.documents) == {path.name for path in (CORPUS / "documents").iterdir()}
    assert {row.patient_id for row in records.documents.values()} == set(records.patients)
    assert all(record.names and record.birth_date for record in records.patients.values())
    followed = [row.labels.follows for row in records.documents.values() if row.labels.follows]
    assert followed and set(followed) <= set(records.documents)


def test_records_hold_the_labels_of_the_notes(notes: list[Note], corpus_build: ModuleType) -> None:
    records = read_records(CORPUS / "records.jsonl")
    for note in notes:
        labels = records.documents[corpus_build.file_name(note)].labels
        assert list(labels.codes) == note.get("icd10", []), note["note_id"]
        assert labels.reference_summary == note.get("reference_summary"), note["note_id"]
        assert json.dumps(list(labels.differential)) == json.dumps(note.get("differential", [])), note[
            "note_id"
        ]
