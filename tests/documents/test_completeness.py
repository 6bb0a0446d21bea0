"""Nothing of a structured file is lost: its text is the document's, and everybody it names is in the record.

The files of `expectations` are made by hand about people who do not exist; what must come out of them was written by
hand as well, from the standards. The order of lists and numbers of labels say nothing and are not compared.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import os
import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from preceptor.documents.errors import RULES, UnreadableFile
from preceptor.documents.registry import read_bytes
from preceptor.records import ParsedFile, PatientRecord

FOLDER = Path(__file__).parent / "expectations"
RICH = ("ccda.xml", "fhir.json", "mdm.hl7", "oru.hl7")
SHARED = Path(os.environ.get("PRECEPTOR_SHARED_DATA", "")) / "c-cda"
SAMPLES = sorted(SHARED.glob("*.xml")) if "PRECEPTOR_SHARED_DATA" in os.environ else []


def read(name: str) -> ParsedFile:
    return read_bytes((FOLDER / name).read_bytes(), Path(name).suffix)[1]


def expected(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / name).with_suffix(".expected.json").read_text())


def without_order(record: dict[str, Any]) -> dict[str, Any]:
    """The record with sorted lists, and identifiers as pairs whose labels have no number."""
    pairs = sorted((re.sub(r" \(\d+\)$", "", label), value) for label, value in record["identifiers"].items())
    lists = {key: sorted(value) for key, value in record.items() if isinstance(value, list | tuple)}
    return record | lists | {"identifiers": pairs}


@pytest.mark.parametrize("name", RICH)
def test_a_rich_file_gives_the_text_and_facts_it_has(name: str) -> None:
    wanted = expected(name)
    (document,) = read(name).documents
    found = dataclasses.asdict(document)
    assert document.text.split("\n") == wanted.pop("text")
    del wanted["patient"]
    assert {key: found[key] for key in wanted} == wanted


@pytest.mark.parametrize("name", RICH)
def test_a_rich_file_gives_everybody_and_every_number(name: str) -> None:
    (document,) = read(name).documents
    assert document.patient is not None
    assert without_order(dataclasses.asdict(document.patient)) == without_order(expected(name)["patient"])


# --- patients without documents, and parts that cannot be read


def test_a_bundle_gives_the_patient_whom_no_document_is_about_and_refuses_what_it_cannot_read() -> None:
    parsed = read("fhir.json")
    assert [(p.patient_id, p.names) for p in parsed.patients] == [("M-777000", ("Basil Orme",))]
    assert {part.place: part.rule for part in parsed.refused} == {
        "entry 17": "fhir-attachment", "entry 18": "json-unknown", "entry 19": "json-unknown",
    }  # fmt: skip
    assert b'"elsewhere"' in next(part.data for part in parsed.refused if part.place == "entry 17")


def test_a_broken_line_of_a_bulk_export_is_refused_alone() -> None:
    lines = [
        '{"resourceType": "Patient", "id": "a", "name": [{"text": "Ada Quill"}]}',
        '{"resourceType": "Pati',
    ]
    parsed = read_bytes("\n".join(lines).encode(), ".ndjson")[1]
    assert [p.names for p in parsed.patients] == [("Ada Quill",)]
    assert [(r.place, r.rule, r.data) for r in parsed.refused] == [
        ("line 2", "json-corrupt", lines[1].encode())
    ]


def test_documents_of_a_patient_who_cannot_be_read_are_refused_with_them() -> None:
    data = {
        "resourceType": "Bundle",
        "entry": [
            {"resource": {"resourceType": "Patient", "id": "a", "name": "Ada"}},
            {"resource": {"resourceType": "DiagnosticReport", "subject": {"reference": "Patient/a"}, "conclusion": "x"}},
            {"resource": {"resourceType": "DiagnosticReport", "conclusion": "Normal."}},
        ],
    }  # fmt: skip
    parsed = read_bytes(json.dumps(data).encode(), ".json")[1]
    assert [d.text for d in parsed.documents] == ["Normal."]
    assert [(r.place, r.rule) for r in parsed.refused] == [
        ("entry 1", "json-unknown"),
        ("entry 2", "json-unknown"),
    ]


def test_bundles_of_one_file_may_use_one_id_for_different_people() -> None:
    def line(name: str) -> str:
        patient = {"resourceType": "Patient", "id": "p", "name": [{"text": name}]}
        report = {
            "resourceType": "DiagnosticReport",
            "subject": {"reference": "Patient/p"},
            "conclusion": "Normal.",
        }
        return json.dumps({"resourceType": "Bundle", "entry": [{"resource": patient}, {"resource": report}]})

    parsed = read_bytes(f"{line('Ada Quill')}\n{line('Ben Orr')}".encode(), ".ndjson")[1]
    assert [d.patient.names for d in parsed.documents if d.patient] == [("Ada Quill",), ("Ben Orr",)]


HEAD = "MSH|^~\\&|A|B|C|D|20240102||{}|1|P|2.5.1"


def hl7(*segments: str, event: str = "ADT^A08") -> str:
    return "\r".join((HEAD.format(event), *segments))


def test_a_message_without_text_gives_its_patient_and_a_broken_one_costs_no_other() -> None:
    sent = [
        hl7("PID|1||77||QUILL^ADA"),
        "MSH|\rPID|1||78||ORR^BEN",
        hl7("PID|1||79||DORN^CY", event="ORU^R01"),
        hl7("PID|1||80||LUND^EVA", "OBX|1|TX|||Normal.", event="ORU^R01"),
        hl7("MSA|AA|1", event="ACK"),
    ]
    parsed = read_bytes("\r".join(sent).encode(), ".hl7")[1]
    assert [p.patient_id for p in parsed.patients] == ["77"]
    assert [(d.text, d.date) for d in parsed.documents] == [("Normal.", "2024-01-02")]
    assert [(r.place, r.rule) for r in parsed.refused] == [
        ("message 2", "hl7-corrupt"),
        ("message 3", "hl7-no-text"),
    ]
    assert parsed.refused[0].data.startswith(b"MSH|\rPID|1||78")


def test_results_of_two_patients_in_one_message_stay_apart() -> None:
    parts = ("PID|1||77||QUILL^ADA", "OBX|1|TX|||one", "PID|2||78||ORR^BEN", "OBX|1|TX|||two")
    documents = read_bytes(hl7(*parts, event="ORU^R01").encode(), ".hl7")[1].documents
    assert [(d.text, d.patient.patient_id) for d in documents if d.patient] == [("one", "77"), ("two", "78")]


@pytest.mark.parametrize(
    ("declared", "encoding", "said"),
    [
        ("8859/2", "iso8859_2", "Łucja Wiśniewska"),
        ("8859/1", "utf-8", "Siân Müller"),
        ("~ISO IR87", "iso2022_jp", "患者は胸痛"),
        ("GB 18030-2000", "gb18030", "患者胸痛"),
    ],
)
def test_a_message_is_read_in_the_character_set_it_declares(declared: str, encoding: str, said: str) -> None:
    message = f"{HEAD.format('ORU^R01')}||||||{declared}\rPID|1||77\rOBX|1|TX|||{said}"
    framed = b"\x0b" + message.encode(encoding) + b"\x1c\r"
    assert [d.text for d in read_bytes(framed, ".hl7")[1].documents] == [said]


# --- HL7's own examples


def parsed_xml(path: Path) -> Any:
    from lxml import etree

    return etree.parse(str(path), etree.XMLParser(remove_comments=True))


def tokens(element: Any) -> list[str]:
    return re.findall(r"\w+", " ".join(element.itertext()))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_every_word_of_every_narrative_is_in_the_text_in_order(path: Path) -> None:
    (document,) = read_bytes(path.read_bytes(), ".xml")[1].documents
    text = "".join(document.text.split())
    place, missing = 0, []
    for n, narrative in enumerate(parsed_xml(path).iterfind(".//{*}section/{*}text")):
        for words in ("".join(piece.replace("\u200b", "").split()) for piece in narrative.itertext()):
            found = text.find(words, place)
            missing += [n] if found < 0 else []
            place = max(place, found + len(words) if found >= 0 else 0)
    assert missing == []  # numbers of sections: a failing test does not print the text


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_everything_in_the_header_that_identifies_is_in_the_record(path: Path) -> None:
    (document,) = read_bytes(path.read_bytes(), ".xml")[1].documents
    assert document.patient is not None
    known = _words_of(document.patient)
    header = [part for part in parsed_xml(path).getroot() if not part.tag.endswith("}component")]
    missing = [
        f"{element.tag.rpartition('}')[2]} of {element.getparent().tag.rpartition('}')[2]}"
        for part in header
        for element in part.iter()
        if not set(_identifying(element)) <= known
    ]
    assert missing == []


def _words_of(record: PatientRecord) -> set[str]:
    values: Iterable[str] = (
        v for group in dataclasses.asdict(record).values() if isinstance(group, tuple | list) for v in group
    )
    return {word for value in (*values, *record.identifiers.values()) for word in re.findall(r"\w+", value)}


def _identifying(element: Any) -> list[str]:
    kind = element.tag.rpartition("}")[2]
    if kind in ("given", "family", "streetAddressLine", "city", "postalCode") or (
        kind == "name" and not len(element)
    ):
        return tokens(element)
    if kind == "telecom":
        return re.findall(r"\w+", (element.get("value") or "").partition(":")[2])
    return re.findall(r"\w+", element.get("extension") or "") if kind == "id" else []


# --- damage


@cache
def content(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


def check_read_or_refused(data: bytes, suffix: str) -> None:
    try:
        found, parsed = read_bytes(data, suffix)
    except UnreadableFile as error:
        assert error.rule in RULES
    else:
        assert isinstance(parsed, ParsedFile), found
        assert all(part.rule in RULES for part in parsed.refused)


damaged = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@damaged
@given(name=st.sampled_from(RICH), cut=st.floats(0, 1))
def test_a_truncated_file_is_read_or_refused(name: str, cut: float) -> None:
    check_read_or_refused(content(name)[: int(len(content(name)) * cut)], Path(name).suffix)


@damaged
@given(
    name=st.sampled_from(RICH), swaps=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), max_size=8)
)
def test_a_file_with_other_bytes_is_read_or_refused(name: str, swaps: list[tuple[float, int]]) -> None:
    data = bytearray(content(name))
    for place, byte in swaps:
        data[int((len(data) - 1) * place)] = byte
    check_read_or_refused(bytes(data), Path(name).suffix)


@damaged
@given(chosen=st.lists(st.floats(0, 0.9999), min_size=1, max_size=5))
def test_a_document_without_some_of_its_elements_is_read_or_refused(chosen: list[float]) -> None:
    from lxml import etree

    root = etree.fromstring(content("ccda.xml"))
    for place in chosen:
        elements = list(root.iter())
        element = elements[int(len(elements) * place)]
        if element.getparent() is not None:
            element.getparent().remove(element)
    check_read_or_refused(etree.tostring(root), ".xml")


WRONG = (None, 5, True, "words", [], {}, [5], ["words"], [None], {"reference": 5}, {"value": []}, [[{}]])


@settings(damaged, max_examples=300)
@given(places=st.lists(st.floats(0, 0.9999), min_size=1, max_size=3), wrong=st.sampled_from(WRONG))
def test_json_of_other_types_is_read_or_refused(places: list[float], wrong: Any) -> None:
    data = json.loads(content("fhir.json"))
    for place in places:
        setters = list(_setters(data))
        if setters:
            setters[int(len(setters) * place)](copy.deepcopy(wrong))
    check_read_or_refused(json.dumps(data).encode(), ".json")


def _setters(value: Any) -> Iterable[Callable[[Any], None]]:
    """For every value inside, a function that puts another one in its place."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield lambda wrong, key=key: value.__setitem__(key, wrong)
        yield from _setters(inner)
