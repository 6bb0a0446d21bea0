"""Tables of documents: JSON Lines and CSV, one document a row, read row by row however long the table is.

Which column is which is guessed from the names that exports commonly have; the setting `intake.columns` decides where
it is given. A column that says something about the patient (`patient_name`, `dob`, `phone`, …) feeds the record.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from typing import IO, Any

from preceptor.documents.errors import UnreadableFile, unreadable
from preceptor.documents.limits import Limits
from preceptor.documents.people import iso_date
from preceptor.documents.text import tidy
from preceptor.records import ParsedDocument, PatientRecord, RefusedPart

# What a row may say of its document -> the column names that say it, in the order they are looked for.
COLUMNS: dict[str, tuple[str, ...]] = {
    "text": ("text", "note_text", "notetext", "document_text", "report_text", "body", "content", "note", "report",
             "transcript"),
    "note_id": ("note_id", "document_id", "doc_id", "row_id", "id"),
    "patient_id": ("patient_id", "patientid", "subject_id", "pat_mrn_id", "pat_id", "person_id", "mrn"),
    "note_type": ("note_type", "document_type", "doc_type", "category", "type", "description"),
    "specialty": ("specialty", "speciality", "service", "department"),
    "encounter": ("encounter", "encounter_id", "visit_id", "hadm_id", "pat_enc_csn_id", "csn"),
    "date": ("date", "note_date", "service_date", "charttime", "chartdate", "created_at", "created"),
    "author_role": ("author_role", "author_type", "provider_type", "role"),
    "reference_summary": ("reference_summary",),
    "codes": ("codes", "icd10", "icd10_codes", "icd_codes"),
    "patient": ("patient",),
}  # fmt: skip
# Beside what begins with `patient_` or `pat_`, these columns are about the patient.
_ABOUT_PATIENT = frozenset((
    "name", "names", "first_name", "last_name", "dob", "birth_date", "sex", "mrn", "ssn", "account", "phone",
    "phones", "email", "emails", "address", "addresses", "relatives", "employer", "insurance", "attending", "pcp",
    "clinicians",
))  # fmt: skip
_PREFIX = re.compile(r"^(patient|pat)[_.]")
_DELIMITERS = ",;\t|"
_SNIFF = 1 << 20


def is_json_row(line: str) -> bool:
    """Whether a line is a JSON object that is no FHIR resource."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and "resourceType" not in found


def columns_of(names: list[str], chosen: Mapping[str, str]) -> dict[str, str]:
    """Return which column holds what: a key of `COLUMNS` to a name of the table.

    Raises `UnreadableFile` `table-columns` if none holds the text, or one that was chosen is not there.
    """
    by_name = {_plain(name): name for name in reversed(names)}
    found: dict[str, str] = {}
    for meaning, usual in COLUMNS.items():
        if meaning in chosen:
            if _plain(chosen[meaning]) not in by_name:
                raise unreadable("table-columns")
            found[meaning] = by_name[_plain(chosen[meaning])]
            continue
        name = next((by_name[u] for u in usual if u in by_name), None)
        if name is not None and name not in chosen.values():
            found[meaning] = name
    if "text" not in found:
        raise unreadable("table-columns")
    return found


def _plain(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.strip().lower())


def read_json_lines(stream: IO[bytes], limits: Limits) -> Iterator[ParsedDocument | RefusedPart]:
    """The documents of a JSON Lines file; a row that is wrong is refused by itself. `row 1` is the first line.

    Raises `UnreadableFile` `table-columns` if the first good row has no text column.
    """
    wrong_columns = True
    for number, line in enumerate(_lines(stream, limits), 1):
        if line is None:
            yield RefusedPart(f"row {number}", "too-large", b"")
            continue
        if not line.strip():
            continue
        try:
            row = json.loads(line.decode("utf-8-sig"))
        except (ValueError, RecursionError):
            row = None
        if not isinstance(row, dict):
            yield RefusedPart(f"row {number}", "json-corrupt", line)
            continue
        if wrong_columns:
            columns_of(list(row), limits.columns)
            wrong_columns = False
        yield _document(row, f"row {number}", line, limits)


def read_json_array(rows: list[dict[str, Any]], limits: Limits) -> Iterator[ParsedDocument | RefusedPart]:
    """The documents of a JSON array of objects, as of JSON Lines."""
    for number, row in enumerate(rows, 1):
        if number == 1:
            columns_of(list(row), limits.columns)
        yield _document(row, f"row {number}", json.dumps(row).encode(), limits)


def _lines(stream: IO[bytes], limits: Limits) -> Iterator[bytes | None]:
    """Lines of bytes, None for one that is longer than a document's file may be."""
    most = limits.max_file_bytes
    while line := stream.readline(most + 1):
        if len(line) <= most:
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = stream.readline(_SNIFF)
        yield None


def read_csv(stream: IO[bytes], limits: Limits) -> Iterator[ParsedDocument | RefusedPart]:
    """The documents of a table with a header, cells separated by comma, semicolon, tab or bar.

    `row 1` is the first one below the header. Raises `UnreadableFile`: `table-columns`, `table-corrupt` (no
    header, or quotes that never close).
    """
    rows = _rows(stream, limits)
    try:
        header = next(rows)
    except (csv.Error, StopIteration):
        raise unreadable("table-corrupt") from None
    columns_of(header, limits.columns)
    number = 0
    while True:
        number += 1
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error:
            # After a quote that never closes there is no telling where a row begins.
            yield RefusedPart(f"row {number}", "table-corrupt", b"")
            return
        if not any(cell.strip() for cell in cells):
            continue
        raw = "\x1f".join(cells).encode("utf-8", "surrogateescape")
        if len(cells) != len(header):
            yield RefusedPart(f"row {number}", "table-corrupt", raw)
        elif any("\udc80" <= c <= "\udcff" for cell in cells for c in cell):
            yield RefusedPart(f"row {number}", "mixed-encoding", raw)
        else:
            yield _document(dict(zip(header, cells, strict=True)), f"row {number}", raw, limits)


def count_csv(stream: IO[bytes], limits: Limits) -> int:
    """How many rows a table has below its header, as far as it can be read."""
    rows, count = _rows(stream, limits), -1
    try:
        for cells in rows:
            count += any(cell.strip() for cell in cells)
    except csv.Error:
        pass  # what read_csv refuses
    return max(count, 0)


def _rows(stream: IO[bytes], limits: Limits) -> Iterator[list[str]]:
    csv.field_size_limit(limits.max_characters * 4)
    text = io.TextIOWrapper(stream, encoding=_encoding(stream), errors="surrogateescape", newline="")
    head = text.readline()
    return csv.reader(_again(head, text), delimiter=_delimiter(head), strict=True)


def _again(head: str, rest: Iterator[str]) -> Iterator[str]:
    yield head
    yield from rest


def _delimiter(head: str) -> str:
    return max(_DELIMITERS, key=head.count)


def looks_like_csv(head: str, limits: Limits) -> bool:
    """Whether a first line is the header of a table with a column for the text."""
    try:
        columns_of(next(csv.reader([head], delimiter=_delimiter(head))), limits.columns)
    except (csv.Error, StopIteration, UnreadableFile):
        return False
    return True


def _encoding(stream: IO[bytes]) -> str:
    start = stream.read(_SNIFF)
    stream.seek(0)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8-sig"


def _document(row: Mapping[str, Any], place: str, raw: bytes, limits: Limits) -> ParsedDocument | RefusedPart:
    try:
        columns = columns_of(list(row), limits.columns)
    except UnreadableFile as error:
        return RefusedPart(place, error.rule, raw)
    values = {meaning: row[name] for meaning, name in columns.items()}
    text = values["text"]
    if not isinstance(text, str) or not text.strip():
        return RefusedPart(place, "empty", raw)
    if len(text) > limits.max_characters:
        return RefusedPart(place, "too-long", raw)
    codes = _codes(values.get("codes"))
    if codes is None:
        return RefusedPart(place, "row-wrong", raw)
    try:
        patient = _patient(row, values, set(columns.values()))
    except (AttributeError, TypeError, ValueError):
        return RefusedPart(place, "row-wrong", raw)
    return ParsedDocument(
        tidy(text),
        patient,
        note_type=(_said(values.get("note_type")) or "").lower() or None,
        specialty=(_said(values.get("specialty")) or "").lower() or None,
        encounter=_said(values.get("encounter")),
        codes=codes,
        reference_summary=_said(values.get("reference_summary")),
        date=iso_date(_said(values.get("date"))),
        author_role=(_said(values.get("author_role")) or "").lower() or None,
    )


def _said(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).strip() or None


def _codes(value: Any) -> dict[str, list[str]] | None:
    """Codes of an object (code to quotes), a list, or a text with separators; None for anything else."""
    if value in (None, ""):
        return {}
    if isinstance(value, str):
        value = [code for code in re.split(r"[\s,;|]+", value) if code]
    if isinstance(value, list) and all(isinstance(code, str) for code in value):
        return {code: [] for code in value}
    if isinstance(value, dict) and all(
        isinstance(quotes, list) and all(isinstance(q, str) for q in quotes) for quotes in value.values()
    ):
        return value
    return None


def _patient(row: Mapping[str, Any], values: Mapping[str, Any], used: set[str]) -> PatientRecord | None:
    facts: dict[str, Any] = {}
    for name, value in row.items():
        plain = _plain(name)
        about = _PREFIX.match(plain) is not None or plain in _ABOUT_PATIENT
        if about and (name not in used or plain == "mrn") and value not in (None, ""):
            facts[_PREFIX.sub("", plain)] = value
    nested = values.get("patient")
    if isinstance(nested, dict):
        facts |= nested
    elif isinstance(nested, str) and nested.strip():
        facts.setdefault("name", nested)
    both = [facts.pop(key) for key in ("first_name", "last_name") if key in facts]
    if both and "name" not in facts:
        facts["name"] = " ".join(str(part) for part in both)
    patient_id = _said(values.get("patient_id"))
    if not facts and not patient_id:
        return None
    return PatientRecord.from_mapping(facts, patient_id)
