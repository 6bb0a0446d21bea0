"""The file that comes beside a folder of documents: what the EHR knows about patients and documents."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from preceptor.errors import UsageError
from preceptor.records import Labels, PatientRecord

_DOCUMENT_KEYS = frozenset((
    "kind", "file", "patient_id", "note_type", "specialty", "encounter", "codes", "reference_summary",
    "differential", "follows",
))  # fmt: skip
_TEXTS = ("patient_id", "note_type", "specialty", "encounter", "reference_summary", "follows")
_DIAGNOSIS_KEYS = {"diagnosis", "for", "against"}
# Columns of a CSV that may hold several values, separated by semicolons.
_SEVERAL = frozenset((
    "names", "former_names", "aliases", "relatives", "clinicians", "organisations", "phones", "emails",
    "addresses",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """What a records file says about one document; `file` is the base name of the document's file."""

    file: str
    patient_id: str | None
    note_type: str | None
    specialty: str | None
    encounter: str | None
    labels: Labels


@dataclass(frozen=True, slots=True)
class RecordsFile:
    """Patients by patient id and documents by base name of their file."""

    patients: dict[str, PatientRecord]
    documents: dict[str, DocumentRow]


def read_records(path: Path) -> RecordsFile:
    """Return the patients and documents of a JSONL file, or the patients of a CSV file (by its name, `.csv`).

    Rows of one patient are merged. Raises `UsageError` naming file, line and rule for a row that is wrong, and
    for a file that is missing or is no UTF-8 text.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise UsageError(f"There is no records file {path}.") from None
    except (UnicodeDecodeError, IsADirectoryError):
        raise UsageError(f"{path}: a records file is UTF-8 text, JSONL or CSV.") from None
    rows = _csv_rows(text, path) if path.suffix.lower() == ".csv" else _json_rows(text, path)
    patients: dict[str, PatientRecord] = {}
    documents: dict[str, DocumentRow] = {}
    for line, row in rows:
        kind = row.pop("kind", "patient")
        if kind == "patient":
            record = _patient(row, path, line)
            known = patients.get(record.patient_id)
            patients[record.patient_id] = known.merged(record) if known else record
        elif kind == "document":
            document = _document(row, path, line)
            if document.file in documents:
                raise _wrong(path, line, "a document of this file name stands in an earlier line")
            documents[document.file] = document
        else:
            raise _wrong(path, line, "kind is neither patient nor document")
    return RecordsFile(patients, documents)


def _wrong(path: Path, line: int, rule: str) -> UsageError:
    return UsageError(f"{path}, line {line}: {rule}. Mend the row and run the command again.")


def _json_rows(text: str, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, source in enumerate(text.split("\n"), 1):
        if not source.strip():
            continue
        try:
            row = json.loads(source)
        except (ValueError, RecursionError):
            raise _wrong(path, line, "this is not a JSON object on one line") from None
        if not isinstance(row, dict):
            raise _wrong(path, line, "this is not a JSON object on one line")
        yield line, row


def _csv_rows(text: str, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            if None in row or None in row.values():
                raise _wrong(path, reader.line_num, "the row has not as many cells as the header")
            yield (
                reader.line_num,
                {
                    key.strip(): [part.strip() for part in value.split(";")]
                    if key.strip() in _SEVERAL
                    else value.strip()
                    for key, value in row.items()
                },
            )
    except csv.Error:
        raise _wrong(path, reader.line_num, "this is not CSV with commas and double quotes") from None


def _patient(row: dict[str, Any], path: Path, line: int) -> PatientRecord:
    row = _people_by_name(row, path, line)
    for key, value in row.items():
        values = value if isinstance(value, list) else [value]
        if not all(v is None or isinstance(v, str | int | float) for v in values):
            raise _wrong(path, line, "a patient's values are texts, numbers, or lists of them")
        if key in ("dob", "birth_date", "sex") and not (value is None or isinstance(value, str)):
            raise _wrong(path, line, f"{key} is a text")
    record = PatientRecord.from_mapping(row)
    if not record.patient_id:
        raise _wrong(path, line, "a patient row needs patient_id or mrn")
    return record


def _people_by_name(row: dict[str, Any], path: Path, line: int) -> dict[str, Any]:
    """A row whose people are objects (`{"name": …, "phone": …, "relation": …}`), with names in their place.

    Their phones join the patient's, since they identify as well.
    """
    plain: dict[str, Any] = {}
    phones = row.get("phones") or []
    phones = list(phones) if isinstance(phones, list) else [phones]
    for key, value in row.items():
        values = value if isinstance(value, list) else [value]
        for one in values:
            if isinstance(one, dict) and not isinstance(one.get("name"), str):
                raise _wrong(path, line, "a person is a name, or an object with name")
        phones += [one["phone"] for one in values if isinstance(one, dict) and one.get("phone")]
        named = [one["name"] if isinstance(one, dict) else one for one in values]
        plain[key] = named if isinstance(value, list) else named[0]
    return plain | ({"phones": phones} if phones else {})


def _document(row: dict[str, Any], path: Path, line: int) -> DocumentRow:
    if row.keys() - _DOCUMENT_KEYS:
        raise _wrong(path, line, f"a document row has these keys: {', '.join(sorted(_DOCUMENT_KEYS))}")
    if not isinstance(row.get("file"), str) or not PurePath(row["file"]).name:
        raise _wrong(path, line, "a document row needs file, a file name")
    texts = {key: row.get(key) for key in _TEXTS}
    for key, value in texts.items():
        if not (value is None or isinstance(value, str)):
            raise _wrong(path, line, f"{key} is a text")
    return DocumentRow(
        file=PurePath(row["file"]).name,
        patient_id=texts["patient_id"] or None,
        note_type=texts["note_type"] or None,
        specialty=texts["specialty"] or None,
        encounter=texts["encounter"] or None,
        labels=Labels(
            codes=_codes(row.get("codes") or {}, path, line),
            reference_summary=texts["reference_summary"] or None,
            differential=_differential(row.get("differential") or [], path, line),
            follows=PurePath(texts["follows"]).name if texts["follows"] else None,
        ),
    )


def _codes(value: Any, path: Path, line: int) -> dict[str, list[str]]:
    if not isinstance(value, dict) or not all(_are_texts(evidence) for evidence in value.values()):
        raise _wrong(path, line, "codes is an object of code and list of the words that justify it")
    return value


def _differential(value: Any, path: Path, line: int) -> tuple[dict[str, Any], ...]:
    right = isinstance(value, list) and all(
        isinstance(d, dict)
        and d.keys() == _DIAGNOSIS_KEYS
        and isinstance(d["diagnosis"], str)
        and _are_texts(d["for"])
        and _are_texts(d["against"])
        for d in value
    )
    if not right:
        raise _wrong(path, line, "differential is a list of {diagnosis, for: [texts], against: [texts]}")
    return tuple(value)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
