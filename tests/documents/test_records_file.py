"""The records file: patients, documents and their labels; a wrong row is named by its line and never quoted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from preceptor.documents.records_file import read_records
from preceptor.errors import UsageError

PATIENT = {"patient_id": "7", "name": "Ada Quill", "dob": "1956-03-12", "mrn": "77"}
DOCUMENT = {"kind": "document", "file": "folder/a.pdf", "patient_id": "7", "codes": {"I10": ["BP 150/90"]}}


def jsonl(tmp_path: Path, *rows: Any) -> Path:
    path = tmp_path / "records.jsonl"
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
    return path


def test_patients_and_documents_are_told_apart(tmp_path: Path) -> None:
    follow = DOCUMENT | {
        "file": "b.pdf",
        "follows": "folder/a.pdf",
        "reference_summary": "Well.",
        "note_type": "letter",
    }
    differential = [{"diagnosis": "gout", "for": ["toe"], "against": []}]
    records = read_records(jsonl(tmp_path, PATIENT, "", DOCUMENT, follow | {"differential": differential}))
    assert records.patients["7"].names == ("Ada Quill",)
    assert records.documents["a.pdf"].labels.codes == {"I10": ["BP 150/90"]}
    row = records.documents["b.pdf"]
    assert (row.patient_id, row.note_type, row.labels.follows) == ("7", "letter", "a.pdf")
    assert (row.labels.reference_summary, list(row.labels.differential)) == ("Well.", differential)


def test_rows_of_one_patient_are_merged(tmp_path: Path) -> None:
    records = read_records(
        jsonl(tmp_path, PATIENT, {"patient_id": "7", "name": "Ada Orr", "phone": "555-0101"})
    )
    assert records.patients["7"].names == ("Ada Quill", "Ada Orr")
    assert records.patients["7"].phones == ("555-0101",)


def test_people_may_be_objects(tmp_path: Path) -> None:
    people = {
        "relatives": [{"name": "Bo Quill", "relation": "husband", "phone": "555-0102"}],
        "pcp": {"name": "Cy Dorn"},
    }
    record = read_records(jsonl(tmp_path, PATIENT | people | {"phones": ["555-0101"]})).patients["7"]
    assert (record.relatives, record.clinicians) == (("Bo Quill",), ("Cy Dorn",))
    assert record.phones == ("555-0101", "555-0102")


def test_patients_may_come_as_csv(tmp_path: Path) -> None:
    path = tmp_path / "patients.CSV"
    path.write_text('\ufeffpatient_id,name,dob,relatives\n7,"Quill, Ada",1956-03-12,Bo Quill; Di Quill\n')
    record = read_records(path).patients["7"]
    assert (record.names, record.relatives) == (("Quill, Ada",), ("Bo Quill", "Di Quill"))


@pytest.mark.parametrize(
    "row",
    [
        "{Zebulon",
        '["Zebulon"]',
        {"name": "Zebulon"},
        {"patient_id": "7", "name": {"given": "Zebulon"}},
        {"patient_id": "7", "dob": 1956, "name": "Zebulon"},
        {"kind": "zebulon"},
        DOCUMENT | {"file": None, "note_type": "Zebulon"},
        DOCUMENT | {"Zebulon": 1},
        DOCUMENT | {"codes": ["Zebulon"]},
        DOCUMENT | {"codes": {"I10": "Zebulon"}},
        DOCUMENT | {"differential": [{"diagnosis": "Zebulon"}]},
        DOCUMENT | {"note_type": ["Zebulon"]},
        DOCUMENT | {"file": "other/a.pdf"},
    ],
)
def test_a_wrong_row_is_named_and_not_quoted(row: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_records(jsonl(tmp_path, PATIENT, DOCUMENT, row))
    assert "records.jsonl, line 3: " in str(caught.value)
    assert "zebulon" not in str(caught.value).lower()
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_csv_row_with_too_few_cells_is_named(tmp_path: Path) -> None:
    path = tmp_path / "patients.csv"
    path.write_text("patient_id,name\n7,Ada\n8\n")
    with pytest.raises(UsageError, match="line 3"):
        read_records(path)


def test_a_missing_or_binary_file_is_a_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no records file"):
        read_records(tmp_path / "absent.jsonl")
    (tmp_path / "bad.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="UTF-8"):
        read_records(tmp_path / "bad.jsonl")
