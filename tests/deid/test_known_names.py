"""Names that the record or another document tells, in every way in which notes write them."""

from __future__ import annotations

import pytest

from preceptor.deid.consistency import Repeats
from preceptor.deid.name_matching import NameFinder, near
from preceptor.deid.record_matching import RecordFinder
from preceptor.records import PatientRecord, Span

FINDER = NameFinder(
    [
        ("PATIENT", ["Luzviminda", "Dimaculangan"]),
        ("RELATIVE", ["Walter", "Tisdale"]),
        ("DOCTOR", ["Mai", "See", "Vang"]),
        ("PATIENT", ["Travis", "Hollon"]),
    ],
    "record.name",
)


def covered(text, finder=FINDER):
    """The words of a text that are inside spans, in order."""
    inside = {i for s in finder.find(text) for i in range(s.start, s.end)}
    return [
        w
        for w, at in ((w, text.index(w)) for w in text.split())
        if all(at + n in inside for n, c in enumerate(w) if c.isalnum())
    ]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Seen with Dimaculangan today.", ["Dimaculangan"]),
        ("DIMACULANGAN, L came in.", ["DIMACULANGAN,", "L"]),
        ("Then Luz said no.", ["Luz"]),
        ("Then Luzvi said no.", ["Luzvi"]),
        ("Then Walt came, and Tisdael too.", ["Walt", "Tisdael"]),
        ("Tisdale W Jr, bed 4", ["Tisdale", "W", "Jr,"]),
        ("Wa1ter was there.", ["Wa1ter"]),
        ("Name T-I-S-D-A-L-E on the chart.", ["T-I-S-D-A-L-E"]),
        ('Luzviminda "Bing" Dimaculangan', ["Luzviminda", '"Bing"', "Dimaculangan"]),
        ("MSV: Nine weeks tomorrow.", ["MSV:"]),
        ("Mrs. D. was sleeping.", ["D."]),
        ("pt hollon travis seen today in the clinic", ["hollon", "travis"]),
    ],
)
def test_a_known_name_is_found_however_it_is_written(text, names):
    assert covered(text) == names


@pytest.mark.parametrize(
    "text",
    [
        "Took a walk, then a long look at the wall.",
        "I see her on Friday.",
        "Lux meter and lunar phase.",
        "A fib with RVR, will see again.",
        "Daughter (Friend) called.",
    ],
)
def test_words_that_are_near_a_name_and_none_stay(text):
    assert covered(text) == []


def test_one_letter_off():
    assert near("tisdale", "tisdael")
    assert near("tisdale", "tisdle")
    assert near("tisdale", "tisdalle")
    assert not near("tisdale", "tidsdael")


def test_what_one_document_tells_is_found_in_the_other_over_any_blanks():
    first = "Works at Calloway Freight, chart ZQ-4471, Dr. Etxeberria."
    spans = [
        Span(first.index(v), first.index(v) + len(v), kind, 0.9, "x")
        for v, kind in (("Calloway Freight", "ORGANIZATION"), ("ZQ-4471", "MRN"), ("Etxeberria", "DOCTOR"))
    ]
    second = "CALLOWAY\n  FREIGHT called; ref zq-4471. Etxeberria's note. XZQ-4471 is another."
    found = {second[s.start : s.end] for s in Repeats([first], [spans]).find(second)}
    assert found == {"CALLOWAY\n  FREIGHT", "zq-4471", "Etxeberria"}


def test_a_weak_find_of_an_ordinary_word_is_not_looked_for():
    text = "Will came."
    repeats = Repeats([text], [[Span(0, 4, "RELATIVE", 0.9, "x")]])
    assert repeats.find("He will come. Will he?") == []


def test_a_name_that_is_hardly_believed_is_not_looked_for():
    text = "Etxeberria came."
    assert Repeats([text], [[Span(0, 10, "DOCTOR", 0.4, "x")]]).find(text) == []
    assert Repeats([text], [[Span(0, 10, "DOCTOR", 0.6, "x")]]).find(text) != []


def test_a_record_is_found_with_its_numbers_and_birth_date():
    record = PatientRecord.from_mapping(
        {"patient_id": "1", "name": "Yesenia Barragán", "dob": "1988-02-09", "phone": "(907) 555-0173", "mrn": "QZ-778812"}
    )  # fmt: skip
    text = "YESI: born 9 Feb 1988, cell 555-0173, chart qz 778812; Barragan"
    found = {text[s.start : s.end] for s in RecordFinder(record).find(text)}
    assert {"YESI", "9 Feb 1988", "555-0173", "qz 778812", "Barragan"} <= found
