"""Documents that others made: HL7's C-CDA examples and HL7 v2 messages of an open converter.

They are not part of the repository: set PRECEPTOR_SHARED_DATA to the folder that holds `c-cda` and `hl7v2`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from preceptor.documents.limits import Limits
from preceptor.documents.registry import read_file

DATA = Path(os.environ.get("PRECEPTOR_SHARED_DATA", ""))
pytestmark = pytest.mark.skipif(
    not (DATA / "c-cda").is_dir(), reason="PRECEPTOR_SHARED_DATA does not name a folder with c-cda and hl7v2"
)
CCDA_TYPES = {
    "CCD_CCD_1_CCD.xml": "summary of episode note",
    "CCD_CCD_2_CCD.xml": "summary of episode note",
    "Consultation_Note_Consultation_Note.xml": "consult note",
    "Discharge_Summary_Discharge_Summary.xml": "discharge summary",
    "History_and_Physical_History_and_Physical.xml": "history and physical note",
    "Operative_Note_Operative_Note.xml": "surgical operation note",
    "Progress_Note_Progress_Note.xml": "progress note",
}


def title_elements(path: Path) -> list[str]:
    from lxml import etree

    titles = etree.parse(str(path)).iterfind(".//{*}section/{*}title")
    return [" ".join("".join(title.itertext()).split()) for title in titles]


@pytest.mark.parametrize(("name", "note_type"), CCDA_TYPES.items())
def test_ccda_examples(name: str, note_type: str) -> None:
    found, parsed = read_file(DATA / "c-cda" / name, Limits())
    (document,) = parsed.documents
    assert (found, document.note_type) == ("ccda", note_type)
    lines = iter(document.text.split("\n"))
    assert [title for title in title_elements(DATA / "c-cda" / name) if title and title not in lines] == []
    record = document.patient
    assert record is not None
    assert record.names and record.birth_date and record.addresses and record.phones and record.relatives
    assert record.clinicians and record.organisations and record.identifiers


@pytest.mark.parametrize("name", ["sample_unix.hl7", "sample_win.hl7"])
def test_hl7_samples_of_both_line_ends(name: str) -> None:
    found, parsed = read_file(DATA / "hl7v2" / name, Limits())
    (document,) = parsed.documents
    assert (found, document.text, document.encounter) == ("hl7v2", "ECHOCARDIOGRAPHIC REPORT", "48390")
    assert document.patient is not None
    assert (document.patient.patient_id, document.patient.birth_date) == ("PID1234", "1980-02-02")
    assert len(document.patient.clinicians) == 8


@pytest.mark.parametrize("name", ["ORU-multiline-short.hl7", "ORU-multiline-short-mixed.hl7"])
def test_hl7_reports_of_several_lines(name: str) -> None:
    _, parsed = read_file(DATA / "hl7v2" / name, Limits())
    (document,) = parsed.documents
    assert len(document.text.split("\n")) == 2
    assert (document.note_type, document.specialty) == ("echo cardiogram complete", "cardiology")
