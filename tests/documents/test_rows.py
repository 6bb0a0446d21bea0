"""JSON Lines and CSV: one document a row, a bad row costs itself only."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from preceptor.documents.events import FormatFound, ItemEnds
from preceptor.documents.limits import Limits
from preceptor.documents.reading import read_events
from preceptor.records import ParsedDocument, RefusedPart


def read(path: Path, data: str | bytes, **limits):
    """Documents, refused rows as {place: rule}, and the format or the rule of the whole file."""
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    events = list(read_events(path, Limits(**limits)))
    documents = [e for e in events if isinstance(e, ParsedDocument)]
    refused = {e.place: e.rule for e in events if isinstance(e, RefusedPart)}
    said = [e.name for e in events if isinstance(e, FormatFound)] + [
        e.rule for e in events if isinstance(e, ItemEnds) and e.rule
    ]
    return documents, refused, said[-1]


def lines(*rows) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_a_row_gives_its_document_and_its_patient(tmp_path):
    row = {
        "note_id": "7", "text": "Seen for gout.", "patient_id": "P1", "note_type": "Clinic Note", "date": "2023-04-05",
        "author_role": "Nurse", "patient": {"name": "Ezra Quill", "dob": "1950-02-03", "mrn": "44-1"},
        "codes": ["M10.9"], "hadm_id": "V9", "reference_summary": "Gout.",
    }  # fmt: skip
    (document, _), refused, found = read(tmp_path / "a.jsonl", lines(row, {"text": "Another."}))
    assert (refused, found) == ({}, "jsonl")
    assert (document.text, document.note_type, document.date) == (
        "Seen for gout.",
        "clinic note",
        "2023-04-05",
    )
    assert (document.author_role, document.encounter, document.codes) == ("nurse", "V9", {"M10.9": []})
    assert document.reference_summary == "Gout."
    assert (document.patient.patient_id, document.patient.names) == ("P1", ("Ezra Quill",))
    assert document.patient.identifiers["mrn"] == "44-1"


def test_a_bad_row_is_refused_by_itself(tmp_path):
    good = {"text": "Seen for gout."}
    data = (
        lines(good, {"text": "  "}, {"text": 5}, {"note": "No column as in the first row."})
        + "{broken\n"
        + lines(good)
    )
    documents, refused, _ = read(tmp_path / "a.jsonl", data)
    assert len(documents) == 3
    assert refused == {"row 2": "empty", "row 3": "empty", "row 5": "json-corrupt"}


def test_columns_can_be_named_and_what_says_something_of_the_patient_feeds_the_record(tmp_path):
    table = "DOK,PAT,Patient_First_Name,Patient_Last_Name,pat_phone\nSeen for gout.,P1,Ezra,Quill,555-0101\n"
    (document,), _, found = read(tmp_path / "a.csv", table, columns={"text": "dok", "patient_id": "PAT"})
    assert found == "csv"
    assert (document.patient.patient_id, document.patient.names) == ("P1", ("Ezra Quill",))
    assert document.patient.phones == ("555-0101",)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_tables_of_every_delimiter_and_encoding(delimiter, encoding, tmp_path):
    table = (
        delimiter.join(["row_id", "text"])
        + "\r\n"
        + delimiter.join(["1", '"Née Müller.\r\nSecond line."'])
        + "\r\n"
    )
    (document,), refused, _ = read(tmp_path / "a.csv", table.encode(encoding))
    assert (document.text, refused) == ("Née Müller.\nSecond line.", {})


def test_rows_of_another_width_or_encoding_are_refused_by_themselves(tmp_path):
    table = b"id,text\n1,Seen for gout.\n2\n3,Caf\xe9\n4,M\xc3\xbcller\n5,a,b\n"
    documents, refused, _ = read(tmp_path / "a.csv", table, max_file_mb=1)
    # The bytes as a whole are no UTF-8, so they are read in the code page of Windows.
    assert [d.text for d in documents] == ["Seen for gout.", "Café", "MÃ¼ller"]
    assert refused == {"row 2": "table-corrupt", "row 5": "table-corrupt"}


def test_a_quote_that_never_closes_ends_the_table_and_says_so(tmp_path):
    documents, refused, _ = read(tmp_path / "a.csv", 'id,text\n1,Seen.\n2,"Never closed\n3,Seen.\n')
    assert ([d.text for d in documents], refused) == (["Seen."], {"row 2": "table-corrupt"})


def test_a_table_without_text_is_refused_whole(tmp_path):
    assert read(tmp_path / "a.csv", "a,b\n1,2\n") == ([], {}, "table-columns")
    assert read(tmp_path / "b.csv", "a,text\n1,Seen.\n", columns={"text": "nowhere"})[2] == "table-columns"


def test_an_array_and_a_single_object_are_rows_too(tmp_path):
    assert len(read(tmp_path / "a.json", json.dumps([{"text": "One."}, {"text": "Two."}]))[0]) == 2
    assert len(read(tmp_path / "b.json", json.dumps({"text": "One."}))[0]) == 1


def test_a_row_longer_than_a_file_may_be_does_not_fill_the_memory(tmp_path):
    data = lines({"text": "Seen."}, {"text": "x" * 30_000}, {"text": "Seen again."})
    documents, refused, _ = read(tmp_path / "a.jsonl", data, max_file_mb=0.01)
    assert ([d.text for d in documents], refused) == (["Seen.", "Seen again."], {"row 2": "too-large"})
