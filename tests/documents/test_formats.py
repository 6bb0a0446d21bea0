"""What each reader makes of the things that real exports are made of."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from preceptor.documents.errors import UnreadableFile
from preceptor.documents.text import tidy
from preceptor.records import ParsedDocument

ReadAs = Callable[..., tuple[str, list[ParsedDocument]]]
MSH = "MSH|^~\\&|EHR|Lakeside|X||20240101||ORU^R01|1|P|2.5"


def text_of(result: tuple[str, list[ParsedDocument]]) -> str:
    return result[1][0].text


# --- which reader


@pytest.mark.parametrize("name", ["a.pdf", "a.txt", "a", "a.docx", "a.hl7"])
def test_content_decides_and_not_the_name(name: str, read_as: ReadAs, make: SimpleNamespace) -> None:
    assert read_as(name, make.pdf("Seen today."))[0] == "pdf"
    assert read_as(name, make.docx("Seen today."))[0] == "docx"
    assert read_as(name, rb"{\rtf1\ansi Seen today.}")[0] == "rtf"
    assert read_as(name, "<!DOCTYPE html><p>Seen today.</p>")[0] == "html"
    assert read_as(name, f"{MSH}\rOBX|1|TX|||Seen today.")[0] == "hl7v2"
    assert read_as(name, "Seen today.")[0] == "text"


@pytest.mark.parametrize(
    "start",
    [
        "[ED NOTE] 67F with chest pain",
        "{dictated, not read} Knee",
        "<3 min chest pain, EF <30%",
        "MSHx: none",
    ],
)
def test_a_note_that_begins_like_another_format_is_text(start: str, read_as: ReadAs) -> None:
    assert read_as("a.txt", start) == ("text", [ParsedDocument(start)])


# --- text


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
def test_text_is_read_in_the_encoding_it_has(encoding: str, read_as: ReadAs) -> None:
    note = "Siân: “5°–10° flexion”, naïve to opioids"
    assert text_of(read_as("a.txt", note.encode(encoding))) == note


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("cp1251", "Пациентка жалуется на боль в груди. Назначен аспирин 100 мг один раз в день."),
        ("cp1253", "Ο ασθενής παραπονιέται για πόνο στο στήθος. Χορηγήθηκε ασπιρίνη."),
        (
            "cp1250",
            "Pacjentka Łucja Wiśniewska zgłasza ból w klatce piersiowej. Zalecono odpoczynek i żywność.",
        ),
    ],
)
def test_other_alphabets_are_told_by_their_words(encoding: str, said: str, read_as: ReadAs) -> None:
    assert text_of(read_as("a.txt", said.encode(encoding))) == said


def test_line_ends_become_one_and_lines_keep_their_inside() -> None:
    assert tidy("a  b\t c \r\nd\re\f\n  f\n\n") == "a  b\t c\nd\ne\n\n  f"


def test_characters_that_nobody_sees_do_not_split_a_name() -> None:
    assert tidy("Que\u200bn\u00adtin") == "Quentin"


# --- PDF


def test_pdf_pages_follow_each_other(read_as: ReadAs, make: SimpleNamespace) -> None:
    assert text_of(read_as("a.pdf", make.pdf("one\ntwo", "three"))) == "one\ntwo\nthree"


def test_a_pdf_with_only_an_owners_password_is_read(read_as: ReadAs, make: SimpleNamespace) -> None:
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(make.pdf("Seen today."))))
    writer.encrypt("", "owner", algorithm="AES-256")
    out = io.BytesIO()
    writer.write(out)
    assert text_of(read_as("a.pdf", out.getvalue())) == "Seen today."


# --- Word


def test_word_tables_stand_where_they_stand(read_as: ReadAs) -> None:
    from docx import Document

    document = Document()
    document.sections[0].header.paragraphs[0].text = "Lakeside Clinic"
    document.add_paragraph("Before")
    table = document.add_table(2, 2)
    for cell, text in zip(
        [c for row in table.rows for c in row.cells], ("Drug", "Dose", "Apixaban", "5 mg"), strict=True
    ):
        cell.text = text
    document.add_paragraph("After")
    out = io.BytesIO()
    document.save(out)
    assert (
        text_of(read_as("a.docx", out.getvalue()))
        == "Lakeside Clinic\nBefore\nDrug | Dose\nApixaban | 5 mg\nAfter"
    )


def test_word_insertions_and_controls_count_and_deletions_do_not(read_as: ReadAs) -> None:
    from docx import Document
    from docx.oxml import parse_xml

    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    document = Document()
    paragraph = document.add_paragraph("Give ")
    for inner in (
        f"<w:del {space}><w:r><w:delText>10</w:delText></w:r></w:del>",
        f"<w:ins {space}><w:r><w:t>5</w:t></w:r></w:ins>",
        f"<w:sdt {space}><w:sdtContent><w:r><w:t xml:space='preserve'> mg</w:t><w:tab/><w:t>daily</w:t></w:r></w:sdtContent></w:sdt>",
    ):
        paragraph._p.append(parse_xml(inner))
    out = io.BytesIO()
    document.save(out)
    assert text_of(read_as("a.docx", out.getvalue())) == "Give 5 mg\tdaily"


# --- RTF


def test_rtf_letters_tables_and_pictures(read_as: ReadAs) -> None:
    rtf = (
        rb"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Arial;}}{\*\generator X;}\uc1 Si\'e2n \u8594? \u-10179?\u-8704?\par "
        rb"{\pict\pngblip 89504e47}\trowd\cellx100 Drug\cell Dose\cell\row\trowd Apixaban\cell 5 mg\cell\row Pipe|stays\par}"
    )
    assert text_of(read_as("a.rtf", rtf)) == "Siân → 😀\nDrug | Dose\nApixaban | 5 mg\nPipe|stays"


# --- HTML


def test_html_blocks_become_lines(read_as: ReadAs) -> None:
    page = """<html><head><title>no</title><style>p{}</style></head><body><script>no()</script>
    <h1>Visit</h1><div>Seen <b>to</b>day,\n   well.<br>BP&nbsp;&nbsp;128/78</div>
    <ul><li>rest</li><li><p>ice</p></li></ul><ol><li>one</li><li>two</li></ol>
    <table><tr><th>Drug</th><th>Dose</th></tr><tr><td>Apixaban</td><td>5<br>mg</td></tr></table>
    <pre>a   b\n c</pre><!-- no --></body></html>"""
    expected = "Visit Seen today, well. BP  128/78".replace("Visit ", "Visit\n").replace(" BP", "\nBP")
    assert text_of(read_as("a.html", page)) == (
        f"{expected}\n- rest\n- ice\n1. one\n2. two\nDrug | Dose\nApixaban | 5 mg\na   b\n c"
    )


def test_html_is_read_in_the_character_set_it_declares(read_as: ReadAs) -> None:
    page = '<html><head><meta charset="iso-8859-2"></head><body>Zieliński</body></html>'
    assert text_of(read_as("a.html", page.encode("iso-8859-2"))) == "Zieliński"


# --- C-CDA

CCDA = """<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3">
<code code="18842-5" displayName="Discharge summary"/><title>Letter about Ada Quill</title>
<recordTarget><patientRole><id extension="77" root="1.2"/><id extension="000-12-3456" root="2.16.840.1.113883.4.1"/>
<addr><streetAddressLine>1 Elm</streetAddressLine><city>Erie</city><state>PA</state><postalCode>16504</postalCode></addr>
<telecom value="tel:555-0101"/><telecom value="mailto:a@example.org"/>
<patient><name><given>Ada</given><given qualifier="CL">Addie</given><family>Quill</family></name>
<administrativeGenderCode code="F"/><birthTime value="19560312"/>
<guardian><guardianPerson><name>Bo Quill</name></guardianPerson></guardian></patient></patientRole></recordTarget>
<author><assignedAuthor><assignedPerson><name><given>Cy</given><family>Dorn</family></name></assignedPerson></assignedAuthor></author>
<custodian><assignedCustodian><representedCustodianOrganization><name>Lakeside</name></representedCustodianOrganization></assignedCustodian></custodian>
<componentOf><encompassingEncounter><id extension="V9"/></encompassingEncounter></componentOf>
<component>{body}</component></ClinicalDocument>"""
SECTIONS = """<structuredBody><component><section><title>PLAN</title><text><paragraph>Rest<br/>Ice</paragraph>
<list listType="ordered"><item>one</item><item>two</item></list>
<table><thead><tr><th>Drug</th><th>Dose</th></tr></thead><tbody><tr><td>Apixaban</td><td>5 mg</td></tr></tbody></table></text>
<entry><act><templateId root="2.16.840.1.113883.10.20.22.4.80"/><entryRelationship><observation>
<value code="I10" codeSystem="2.16.840.1.113883.6.90"/></observation></entryRelationship></act></entry>
<component><section><title>Inner</title><text>deep</text></section></component></section></component></structuredBody>"""


def test_ccda_narrative_in_order_and_header_as_record(read_as: ReadAs) -> None:
    found, (document,) = read_as("a.xml", CCDA.format(body=SECTIONS))
    assert found == "ccda"
    assert document.text == "PLAN\nRest\nIce\n1. one\n2. two\nDrug | Dose\nApixaban | 5 mg\n\nInner\ndeep"
    assert (document.note_type, document.encounter, document.codes) == (
        "discharge summary",
        "V9",
        {"I10": []},
    )
    record = document.patient
    assert record is not None
    assert record.names == ("Ada Quill", "Addie Quill")
    assert (record.patient_id, record.identifiers) == (
        "77",
        {"mrn": "77", "ssn": "000-12-3456", "visit": "V9"},
    )
    assert (record.birth_date, record.sex) == ("1956-03-12", "F")
    assert (record.relatives, record.clinicians, record.organisations) == (
        ("Bo Quill",),
        ("Cy Dorn",),
        ("Lakeside",),
    )
    assert (record.phones, record.emails) == (("555-0101",), ("a@example.org",))
    assert record.addresses == ("1 Elm, Erie, PA 16504",)


def test_a_title_with_the_patients_name_is_no_note_type(read_as: ReadAs) -> None:
    _, (document,) = read_as(
        "a.xml", CCDA.format(body=SECTIONS).replace(' displayName="Discharge summary"', "")
    )
    assert document.note_type == "discharge summary"  # from the LOINC code, not "letter about ada quill"


def test_a_pdf_inside_ccda_is_read_with_its_header(read_as: ReadAs, make: SimpleNamespace) -> None:
    data = base64.b64encode(make.pdf("Scanned in.")).decode()
    body = f'<nonXMLBody><text mediaType="application/pdf" representation="B64">{data}</text></nonXMLBody>'
    _, (document,) = read_as("a.xml", CCDA.format(body=body))
    assert document.text == "Scanned in."
    assert document.patient is not None and document.patient.names[0] == "Ada Quill"


# --- FHIR


def bundle(*resources: dict[str, Any]) -> str:
    return json.dumps(
        {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": r} for r in resources]}
    )


def attached(text: str | bytes, kind: str = "text/plain") -> dict[str, Any]:
    data = text.encode() if isinstance(text, str) else text
    return {"attachment": {"contentType": kind, "data": base64.b64encode(data).decode()}}


def reference(text: str, patient: str, **more: Any) -> dict[str, Any]:
    return {
        "resourceType": "DocumentReference",
        "content": [attached(text)],
        "subject": {"reference": patient},
    } | more


ADA = {
    "resourceType": "Patient", "id": "a", "name": [{"given": ["Ada"], "family": "Quill"}],
    "identifier": [{"type": {"coding": [{"code": "MR"}]}, "value": "77"}],
}  # fmt: skip
BEN = {"resourceType": "Patient", "id": "b", "name": [{"text": "Ben Orr"}]}


def test_every_document_of_a_bundle_goes_to_its_own_patient(read_as: ReadAs) -> None:
    son = {
        "resourceType": "RelatedPerson",
        "patient": {"reference": "Patient/a"},
        "name": [{"text": "Dov Quill"}],
    }
    _, documents = read_as(
        "a.json", bundle(ADA, BEN, son, reference("one", "Patient/a"), reference("two", "Patient/b"))
    )
    assert [(d.text, d.patient.names, d.patient.relatives) for d in documents if d.patient] == [
        ("one", ("Ada Quill",), ("Dov Quill",)),
        ("two", ("Ben Orr",), ()),
    ]
    assert documents[0].patient is not None and documents[0].patient.patient_id == "77"


def test_contained_patients_of_one_id_are_not_confused(read_as: ReadAs) -> None:
    documents = [
        reference(text, "#p", contained=[{"resourceType": "Patient", "id": "p", "name": [{"text": name}]}])
        for text, name in (("one", "Ada Quill"), ("two", "Ben Orr"))
    ]
    _, found = read_as("a.json", bundle(*documents))
    assert [(d.text, d.patient.names) for d in found if d.patient] == [
        ("one", ("Ada Quill",)),
        ("two", ("Ben Orr",)),
    ]


def test_codes_are_those_of_the_documents_own_visit(read_as: ReadAs) -> None:
    def condition(code: str, visit: str | None, category: str) -> dict[str, Any]:
        more = {"encounter": {"reference": visit}} if visit else {}
        return {
            "resourceType": "Condition", "subject": {"reference": "Patient/a"}, **more,
            "category": [{"coding": [{"code": category}]}],
            "code": {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": code}]},
            "evidence": [{"code": [{"text": "EF 30%"}, {"text": "not in the note"}]}],
        }  # fmt: skip

    note = reference("EF 30% today", "Patient/a", context={"encounter": [{"reference": "Encounter/1"}]})
    conditions = [
        condition("I50.22", "Encounter/1", "encounter-diagnosis"),
        condition("I10", "Encounter/2", "encounter-diagnosis"),
        condition("E11.9", None, "problem-list-item"),
    ]
    _, (document,) = read_as("a.json", bundle(ADA, note, *conditions))
    assert document.codes == {"I50.22": ["EF 30%"]}
    assert document.encounter == "1"


def test_an_attachment_may_lie_in_a_binary_and_the_plainest_copy_is_taken(
    read_as: ReadAs, make: SimpleNamespace
) -> None:
    binary = {"resourceType": "Binary", "id": "x", **attached("<p>from HTML</p>", "text/html")["attachment"]}
    note = {
        "resourceType": "DocumentReference", "subject": {"reference": "Patient/a"},
        "content": [attached(make.pdf("from PDF"), "application/pdf"), {"attachment": {"url": "Binary/x", "contentType": "text/html"}}],
    }  # fmt: skip
    _, documents = read_as("a.json", bundle(ADA, note, binary))
    assert [d.text for d in documents] == ["from HTML"]


def test_compositions_and_bulk_exports(read_as: ReadAs) -> None:
    composition = {
        "resourceType": "Composition", "subject": {"reference": "Patient/a"}, "type": {"text": "Progress note"},
        "section": [
            {"title": "Plan", "text": {"div": "<div xmlns='http://www.w3.org/1999/xhtml'><p>Rest</p></div>"},
             "section": [{"title": "Inner", "text": {"div": "<div>deep</div>"}}]},
        ],
    }  # fmt: skip
    lines = "\n".join(json.dumps(r) for r in (ADA, composition, reference("two", "Patient/a")))
    found, documents = read_as("export.ndjson", lines)
    assert found == "fhir"
    assert [d.text for d in documents] == ["Plan\nRest\n\nInner\ndeep", "two"]
    assert documents[0].note_type == "progress note"


# --- HL7 v2


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_hl7_lines_and_escapes(end: str, read_as: ReadAs) -> None:
    segments = [
        MSH,
        "OBX|1|TX|N^Note||50\\T\\60 \\F\\ 3\\S\\2 a\\R\\b c\\E\\d \\H\\bold\\N\\",
        "OBX|2|FT|N^Note||one\\.br\\two~three\\.sp2\\four",
        "OBX|3|TX|N^Note||\\X41\\ C:\\temp \\Zxx\\",
    ]
    assert text_of(read_as("a.hl7", end.join(segments))) == (
        "50&60 | 3^2 a~b c\\d bold\none\ntwo\nthree\n\nfour\nA C:\\temp \\Zxx\\"
    )


def test_hl7_text_broken_over_bare_lines_goes_on(read_as: ReadAs) -> None:
    assert text_of(read_as("a.hl7", f"{MSH}\nOBX|1|TX|||first\nsecond\n\nthird||||||F\nNTE|1||added")) == (
        "first\nsecond\n\nthird\nadded"
    )


def test_hl7_values_become_lines_and_parts_get_headings(read_as: ReadAs) -> None:
    segments = [
        MSH, "OBR|1|||1^BASIC PANEL",
        "OBX|1|NM|2823-3^Potassium^LN||5.1|mmol/L|3.5-5.0|H", "OBX|2|CE|X^Culture||A1^No growth^L", "OBX|3|ST|C^Color||yellow",
        "OBR|2|||2^CHEST", "OBX|1|TX|F^FINDINGS||clear", "OBX|2|TX|F^FINDINGS||no effusion", "OBX|3|TX|I^IMPRESSION||normal",
    ]  # fmt: skip
    assert text_of(read_as("a.hl7", "\r".join(segments))) == (
        "BASIC PANEL\nPotassium: 5.1 mmol/L (3.5-5.0) H\nCulture: No growth\nColor: yellow\n\n"
        "CHEST\nFINDINGS\nclear\nno effusion\nIMPRESSION\nnormal"
    )


def test_hl7_messages_of_one_file_are_documents_of_their_patients(read_as: ReadAs) -> None:
    one = f"{MSH}\rPID|1||77^^^L^MR~000123456^^^USA^SS||QUILL^ADA^B||19560312|F|||1 Elm^^Erie^PA^16504||555-0101|||||A9"
    one += "\rNK1|1|QUILL^BO|SPO||555-0102\rPV1|1|O|||||9^DORN^CY|||CAR|||||||||V9\rDG1|1||I50.22^^I10\rOBX|1|TX|||first"
    two = f"{MSH}\rPID|1||88||ORR^BEN\rOBX|1|TX|||second"
    _, documents = read_as("a.hl7", f"FHS|^~\\&|X\rBHS|^~\\&|X\r{one}\r{two}\rBTS|2\rFTS|1")
    assert [d.text for d in documents] == ["first", "second"]
    record = documents[0].patient
    assert record is not None
    assert (record.names, record.birth_date, record.relatives) == (
        ("ADA B QUILL",),
        "1956-03-12",
        ("BO QUILL",),
    )
    assert record.identifiers == {
        "mrn": "77", "ssn": "000123456", "account": "A9", "license": "9", "visit": "V9",
    }  # fmt: skip
    assert (record.phones, record.clinicians) == (("555-0101", "555-0102"), ("CY DORN",))
    assert (documents[0].specialty, documents[0].encounter) == ("cardiology", "V9")
    assert documents[0].codes == {"I50.22": []}
    assert documents[1].patient is not None and documents[1].patient.patient_id == "88"


def test_a_file_inside_hl7_is_read(read_as: ReadAs, make: SimpleNamespace) -> None:
    data = base64.b64encode(make.pdf("Cath report.")).decode()
    assert text_of(read_as("a.hl7", f"{MSH}\rOBX|1|ED|||^application^pdf^Base64^{data}")) == "Cath report."


def test_an_unreadable_file_inside_hl7_stops_the_message(read_as: ReadAs) -> None:
    data = base64.b64encode(b"%PDF-1.4 broken").decode()
    with pytest.raises(UnreadableFile, match="pdf-corrupt"):
        read_as("a.hl7", f"{MSH}\rOBX|1|TX|||words\rOBX|2|ED|||^application^pdf^Base64^{data}")
